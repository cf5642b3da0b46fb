import numpy as np


def first_apart(depths, plain, residual):
    apart = residual.max(axis=1) < plain.min(axis=1)  # the worst against the best
    return int(depths[apart].min()) if np.any(apart) else 0

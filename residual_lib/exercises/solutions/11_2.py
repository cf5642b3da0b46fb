import numpy as np


def dropped(f, draws, rate):
    kept = np.asarray(draws) >= rate
    return f * kept[:, None] / (1 - rate)

import numpy as np


def gradient_factor(jacobian, upstream):
    back = upstream + jacobian.T @ upstream  # two vectors, which may cancel
    return np.linalg.norm(back) / np.linalg.norm(upstream)

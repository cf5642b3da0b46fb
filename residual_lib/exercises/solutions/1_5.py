import numpy as np


def growth(h, slope):
    # Back through the activation: the square is multiplied by slope squared. Back through
    # BatchNorm: it is divided by the variance that BatchNorm divided by on the way forward.
    return np.mean(slope**2) / np.var(h)

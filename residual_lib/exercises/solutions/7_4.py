import numpy as np


def as_residual(weight, width):
    new, old = weight.shape
    wide = np.zeros((width, width))
    wide[old : old + new, :old] = weight
    return wide

# hint: Rows are outputs
import numpy as np


def as_residual(weight, width):
    new, old = weight.shape
    wide = np.zeros((width, width))
    wide[:old, old : old + new] = weight.T
    return wide

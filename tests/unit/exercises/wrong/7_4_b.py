# hint: channels that are in use
import numpy as np


def as_residual(weight, width):
    new, old = weight.shape
    wide = np.zeros((width, width))
    wide[:new, :old] = weight
    return wide

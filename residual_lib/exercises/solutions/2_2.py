import numpy as np


def undo(mean, variance, eps):
    scale = np.sqrt(variance + eps)  # what the layer divided by
    shift = mean  # what it subtracted
    return scale, shift

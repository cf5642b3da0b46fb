# hint: the shift has to add it
import numpy as np


def undo(mean, variance, eps):
    return np.sqrt(variance + eps), -mean

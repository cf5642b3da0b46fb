# hint: eps belongs in the scale
import numpy as np


def undo(mean, variance, eps):
    return np.sqrt(variance), mean

# hint: divides a second time
import numpy as np


def undo(mean, variance, eps):
    return 1 / np.sqrt(variance + eps), mean

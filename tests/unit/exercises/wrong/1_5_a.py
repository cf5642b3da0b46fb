# hint: That divides by the mean square
import numpy as np


def growth(h, slope):
    return np.mean(slope**2) / np.mean(h**2)

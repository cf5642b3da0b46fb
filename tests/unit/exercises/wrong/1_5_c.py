# hint: Upside down
import numpy as np


def growth(h, slope):
    return np.var(h) / np.mean(slope**2)

# hint: Square the slopes first
import numpy as np


def growth(h, slope):
    return np.mean(slope) ** 2 / np.var(h)

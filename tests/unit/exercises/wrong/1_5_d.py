# hint: asked is that of its square
import numpy as np


def growth(h, slope):
    return np.sqrt(np.mean(slope**2)) / np.std(h)

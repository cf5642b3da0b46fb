# hint: not the maximum
import numpy as np


def gate(x, w1, b1, w2, b2):
    middle = np.maximum(w1 @ x.max(axis=(1, 2)) + b1, 0)
    return 1 / (1 + np.exp(-(w2 @ middle + b2)))

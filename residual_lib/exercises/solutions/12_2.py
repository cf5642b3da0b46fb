import numpy as np


def gate(x, w1, b1, w2, b2):
    z = x.mean(axis=(1, 2))  # squeeze
    middle = np.maximum(w1 @ z + b1, 0)
    return 1 / (1 + np.exp(-(w2 @ middle + b2)))  # excite

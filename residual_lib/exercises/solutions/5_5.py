import numpy as np


def norm(x):
    return (x - x.mean(0)) / x.std(0)


def block(x, v, w):
    h = np.maximum(norm(x), 0) @ v
    h = np.maximum(norm(h), 0) @ w
    return x + h  # x as it came: neither norm nor ReLU stands on the shortcut

# hint: The second norm is missing
import numpy as np


def norm(x):
    return (x - x.mean(0)) / x.std(0)


def block(x, v, w):
    h = np.maximum(norm(x), 0) @ v
    return x + np.maximum(h, 0) @ w

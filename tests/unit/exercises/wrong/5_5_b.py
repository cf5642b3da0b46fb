# hint: with the ReLU after the addition
import numpy as np


def norm(x):
    return (x - x.mean(0)) / x.std(0)


def block(x, v, w):
    return np.maximum(x + norm(np.maximum(norm(x @ v), 0) @ w), 0)

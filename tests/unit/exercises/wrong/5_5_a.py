# hint: It must carry x itself
import numpy as np


def norm(x):
    return (x - x.mean(0)) / x.std(0)


def block(x, v, w):
    x = np.maximum(norm(x), 0)
    return x + np.maximum(norm(x @ v), 0) @ w

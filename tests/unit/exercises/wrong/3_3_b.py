# hint: multiplied by the gradient too
import numpy as np


def backward(x, w1, w2, dy):
    a = x @ w1.T
    d = dy * (x + np.maximum(a, 0) @ w2.T > 0)
    return ((d @ w2) * (a > 0)) @ w1 + 1

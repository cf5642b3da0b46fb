import numpy as np


def backward(x, w1, w2, dy):
    a = x @ w1.T
    total = x + np.maximum(a, 0) @ w2.T
    d = dy * (total > 0)  # through the last ReLU
    branch = ((d @ w2) * (a > 0)) @ w1
    return d + branch  # the skip hands d on as it is

# hint: stands a ReLU
import numpy as np


def gate(x, w1, b1, w2, b2):
    return 1 / (1 + np.exp(-(w2 @ (w1 @ x.mean(axis=(1, 2)) + b1) + b2)))

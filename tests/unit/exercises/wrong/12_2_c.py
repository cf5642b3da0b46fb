# hint: A sigmoid at the end
import numpy as np


def gate(x, w1, b1, w2, b2):
    return w2 @ np.maximum(w1 @ x.mean(axis=(1, 2)) + b1, 0) + b2

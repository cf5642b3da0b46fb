import numpy as np


def back(y1, y2, A, B):
    x2 = y2 - np.tanh(B @ y1)
    return y1 - np.tanh(A @ x2), x2

# hint: The first branch read x2
import numpy as np


def back(y1, y2, A, B):
    return y1 - np.tanh(A @ y2), y2 - np.tanh(B @ y1)

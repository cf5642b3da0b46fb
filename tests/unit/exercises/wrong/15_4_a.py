# hint: Begin with what was computed last
import numpy as np


def back(y1, y2, A, B):
    x1 = y1 - np.tanh(A @ y2)
    return x1, y2 - np.tanh(B @ x1)

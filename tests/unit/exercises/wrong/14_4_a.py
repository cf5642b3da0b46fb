# hint: the streams are mixed
import numpy as np


def step(H, mix, read, write):
    return H + np.outer(write, np.tanh(read @ H))

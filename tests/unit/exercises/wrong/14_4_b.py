# hint: a weight of its own
import numpy as np


def step(H, mix, read, write):
    return mix @ H + np.tanh(read @ H)

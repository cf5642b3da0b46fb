# hint: the weight is w_c = 1
import numpy as np


def weight(d1, d2, w0, sigma):
    return w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))

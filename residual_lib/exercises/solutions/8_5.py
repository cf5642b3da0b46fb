import numpy as np


def weight(d1, d2, w0, sigma):
    return 1 + w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))

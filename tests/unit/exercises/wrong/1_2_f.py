# hint: not 1 - z^2
import numpy as np


def gradients(w, x):
    result, h = [], x
    for weight in w:
        z = weight * h
        result.append(weight * (1 - z**2))
        h = np.tanh(z)
    return np.cumprod(result[::-1])[::-1]

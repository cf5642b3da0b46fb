# hint: The slope of tanh is missing
import numpy as np


def gradients(w, x):
    return np.cumprod(w[::-1])[::-1]

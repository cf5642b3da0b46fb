# hint: has a norm already
import numpy as np


def filter_normalised(noise, weight):
    return noise * np.linalg.norm(weight, axis=(1, 2), keepdims=True)

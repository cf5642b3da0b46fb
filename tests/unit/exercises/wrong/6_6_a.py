# hint: one factor
import numpy as np


def filter_normalised(noise, weight):
    return noise * np.linalg.norm(weight.ravel()) / np.linalg.norm(noise.ravel())

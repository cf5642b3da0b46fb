# hint: x is missing
import numpy as np


def residual_block(branch, x):
    return np.maximum(branch(x), 0)

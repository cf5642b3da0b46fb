# hint: work on a copy
import numpy as np


def residual_block(branch, x):
    x += branch(x)
    return np.maximum(x, 0)

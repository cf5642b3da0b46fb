# hint: after the sum, not before it
import numpy as np


def residual_block(branch, x):
    return x + np.maximum(branch(x), 0)

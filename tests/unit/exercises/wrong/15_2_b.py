# hint: it belongs in the bias
import numpy as np


def folded(kernel, mean, variance, scale, shift):
    return kernel * (scale / np.sqrt(variance))[:, None, None], shift

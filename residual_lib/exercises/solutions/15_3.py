import numpy as np


def together(dense, pointwise, identity):
    kernel = dense.copy()
    kernel[:, :, 1] += pointwise + np.diag(identity)
    return kernel

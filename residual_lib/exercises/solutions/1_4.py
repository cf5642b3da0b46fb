import numpy as np


def bounds(jacobians):
    # A transpose has the same singular values, so the direction of travel doesn't matter.
    values = np.linalg.svd(jacobians, compute_uv=False)  # shape (L, n), the largest first
    return values[:, -1].prod(), values[:, 0].prod()

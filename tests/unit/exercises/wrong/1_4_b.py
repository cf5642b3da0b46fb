# hint: singular values of the product
import numpy as np


def bounds(jacobians):
    product = np.eye(jacobians.shape[1])
    for jacobian in jacobians:
        product = jacobian @ product
    values = np.linalg.svd(product, compute_uv=False)
    return values[-1], values[0]

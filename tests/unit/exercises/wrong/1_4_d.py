# hint: The determinant is the product
import numpy as np


def bounds(jacobians):
    size = np.prod(np.abs(np.linalg.det(jacobians)))
    return size, size

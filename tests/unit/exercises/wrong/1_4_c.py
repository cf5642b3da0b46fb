# hint: takes the worst layer
import numpy as np


def bounds(jacobians):
    values = np.linalg.svd(jacobians, compute_uv=False)
    return values.min() ** len(jacobians), values.max() ** len(jacobians)

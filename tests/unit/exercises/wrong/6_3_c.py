# hint: shortcut's part is missing
import numpy as np


def gradient_factor(jacobian, upstream):
    return np.linalg.norm(jacobian.T @ upstream) / np.linalg.norm(upstream)

# hint: add them first
import numpy as np


def gradient_factor(jacobian, upstream):
    branch = np.linalg.norm(jacobian.T @ upstream)
    return 1 + branch / np.linalg.norm(upstream)

# hint: transpose of the Jacobian
import numpy as np


def gradient_factor(jacobian, upstream):
    back = upstream + jacobian @ upstream
    return np.linalg.norm(back) / np.linalg.norm(upstream)

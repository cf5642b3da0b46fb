# hint: without alpha
import numpy as np


def gradients(x, weight, alpha, up):
    active = np.maximum(x, 0)
    in_weight = alpha * np.outer(up, active)
    return alpha * (up @ weight @ active), in_weight, up + alpha * (x > 0) * (weight.T @ up)

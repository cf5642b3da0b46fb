import numpy as np


def gradients(x, weight, alpha, up):
    active = np.maximum(x, 0)
    in_alpha = up @ weight @ active
    in_weight = alpha * np.outer(up, active)
    in_x = up + alpha * (x > 0) * (weight.T @ up)
    return in_alpha, in_weight, in_x

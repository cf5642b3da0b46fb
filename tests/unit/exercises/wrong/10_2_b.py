# hint: has it as a factor
import numpy as np


def gradients(x, weight, alpha, up):
    active = np.maximum(x, 0)
    return up @ weight @ active, np.outer(up, active), up + alpha * (x > 0) * (weight.T @ up)

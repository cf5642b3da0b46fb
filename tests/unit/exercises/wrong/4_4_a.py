# hint: looks at one pixel of each square
import numpy as np


def average_then_project(x, w):
    return np.einsum("oc,chw->ohw", w, x[:, ::2, ::2])

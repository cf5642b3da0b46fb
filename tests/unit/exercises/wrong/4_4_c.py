# hint: greatest of the four pixels
import numpy as np


def average_then_project(x, w):
    c, height, width = x.shape
    squares = x.reshape(c, height // 2, 2, width // 2, 2)
    return np.einsum("oc,chw->ohw", w, squares.max(axis=(2, 4)))

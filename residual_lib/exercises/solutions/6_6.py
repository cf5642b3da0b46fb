import numpy as np


def filter_normalised(noise, weight):
    wanted = np.linalg.norm(weight, axis=(1, 2), keepdims=True)
    given = np.linalg.norm(noise, axis=(1, 2), keepdims=True)
    return noise * wanted / given

# hint: take their sizes first
import numpy as np


def by_source(weight, sizes):
    parts = np.split(weight, np.cumsum(sizes)[:-1], axis=1)
    return np.array([abs(part.mean()) for part in parts]) / np.abs(weight).mean()

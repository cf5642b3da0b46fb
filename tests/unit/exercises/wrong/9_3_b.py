# hint: Divide by the norm of x
import numpy as np


def distance(x):
    return np.linalg.norm(x - x.mean(axis=0))

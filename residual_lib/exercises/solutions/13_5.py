import numpy as np


def absorbed(weights):
    # h + V h = (I + V) h
    return [np.eye(len(v)) + v for v in weights]

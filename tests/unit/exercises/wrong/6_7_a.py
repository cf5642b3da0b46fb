# hint: meets the last block first
import numpy as np


def by_length(jacobians, upstream):
    sums = np.zeros((len(jacobians) + 1, len(upstream)))
    sums[0] = upstream
    for jacobian in jacobians:
        sums[1:] += sums[:-1] @ jacobian
    return sums

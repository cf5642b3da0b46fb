import numpy as np


def opening(blocks, share):
    gate = share ** (1 / blocks)
    return np.log(gate / (1 - gate))  # the sigmoid turned round

import math


def opening(blocks, share):
    gate = share ** (1 / blocks)
    return math.log(gate / (1 - gate))  # the sigmoid turned round

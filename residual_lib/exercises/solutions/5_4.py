import math


def bias(blocks, kept):
    r = kept ** (1 / blocks)  # what each block keeps: 1 - sigmoid(b) = sigmoid(-b)
    return math.log((1 - r) / r)  # for 54 blocks and 0.9 it is -6.2: He et al. tried -6

import math


def share_of_paths(blocks, low, high):
    chosen = sum(math.comb(blocks, length) for length in range(low, high + 1))
    return chosen / 2**blocks

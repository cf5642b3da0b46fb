# hint: leaves its end out
import math


def share_of_paths(blocks, low, high):
    return sum(math.comb(blocks, k) for k in range(low, high)) / 2**blocks

# hint: divide by the number of all
import math


def share_of_paths(blocks, low, high):
    return sum(math.comb(blocks, k) for k in range(low, high + 1))

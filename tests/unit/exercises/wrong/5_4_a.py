# hint: a negative b opens it
import math


def bias(blocks, kept):
    r = kept ** (1 / blocks)
    return math.log(r / (1 - r))

# hint: each block keeps the root
import math


def bias(blocks, kept):
    gate = (1 - kept) / blocks
    return math.log(gate / (1 - gate))

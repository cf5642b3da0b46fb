# hint: Shares multiply
import math


def opening(blocks, share):
    gate = 1 - (1 - share) / blocks
    return math.log(gate / (1 - gate))

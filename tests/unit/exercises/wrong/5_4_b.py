# hint: right for one block
import math


def bias(blocks, kept):
    return math.log((1 - kept) / kept)

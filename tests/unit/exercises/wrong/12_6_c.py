# hint: Every block has a kernel of its own
import math


def eca(blocks):
    total = 0
    for c in blocks:
        size = int(math.log2(c) / 2 + 0.5)
        total += size + 1 - size % 2
    return total

# hint: One kernel is shared by all channels
import math


def eca(blocks):
    total = 0
    for c, number in blocks.items():
        size = int(math.log2(c) / 2 + 0.5)
        total += number * c * (size + 1 - size % 2)
    return total

# hint: take the next odd one
import math


def eca(blocks):
    return sum(number * int(math.log2(c) / 2 + 0.5) for c, number in blocks.items())

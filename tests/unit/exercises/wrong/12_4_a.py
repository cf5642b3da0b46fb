# hint: the next takes its part
import math


def opening(blocks, share):
    return math.log(share / (1 - share))

import numpy as np


def eca(blocks):
    total = 0
    for c, number in blocks.items():
        size = int(np.log2(c) / 2 + 0.5)
        total += number * (size if size % 2 else size + 1)
    return total

def extra(blocks, r):
    # Down: c * c / r weights and c / r biases. Up: as many weights and c biases.
    return sum(number * (2 * c * (c // r) + c // r + c) for c, number in blocks.items())

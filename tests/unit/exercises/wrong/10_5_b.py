# hint: The bounds of the blocks are multiplied
def bounds(alpha, largest, blocks):
    reach = blocks * alpha * largest
    return max(0, 1 - reach), 1 + reach

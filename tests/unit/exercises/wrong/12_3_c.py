# hint: There are two layers
def extra(blocks, r):
    return sum(number * (c * (c // r) + c // r + c) for c, number in blocks.items())

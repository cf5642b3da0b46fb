# hint: Every block has a gate of its own
def extra(blocks, r):
    return sum(2 * c * (c // r) + c // r + c for c in blocks)

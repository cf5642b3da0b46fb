# hint: only by those behind it
def mean_square(q, blocks, factor):
    return factor ** (2 * blocks) * (q + blocks)

# hint: the square of that factor
def mean_square(q, blocks, factor):
    for _ in range(blocks):
        q = factor * q + 1
    return q

# hint: as without normalisation
def mean_square(q, blocks, factor):
    for _ in range(blocks):
        q = factor**2 * (q + q)
    return q

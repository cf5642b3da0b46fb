def mean_square(q, blocks, factor):
    # E[(factor x + F)^2] = factor^2 E[x^2] + 2 factor E[x F] + E[F^2], with 0 in the middle.
    for _ in range(blocks):
        q = factor**2 * q + 1
    return q

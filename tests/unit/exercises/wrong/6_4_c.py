# hint: each block has a factor of its own
def correlation(kind, blocks):
    factors = {"plain": 1 / 2, "residual": 3 / 4, "normalised": 1.25 / 1.5}
    return factors[kind] ** blocks

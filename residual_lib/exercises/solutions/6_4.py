import math

ADDED = 1 - 1 / math.pi


def correlation(kind, blocks):
    if kind == "plain":
        return 0.5**blocks  # half of the units that one opens are open for the other
    value = 1.0
    for block in range(blocks):
        # What the block divides by; without normalisation it divides by nothing.
        variance = 2 + ADDED * block if kind == "normalised" else 1
        value *= (1 + 1 / (2 * variance)) / (1 + 1 / variance)
    return value

# hint: BatchNorm takes the mean away
def correlation(kind, blocks):
    if kind == "plain":
        return 0.5**blocks
    value = 1.0
    for block in range(blocks):
        variance = 2 + block if kind == "normalised" else 1
        value *= (1 + 0.5 / variance) / (1 + 1 / variance)
    return value

# hint: multiplies what the ones before it
def squares(variance, rate, blocks):
    return 1 + blocks * variance / (1 - rate), 1 + blocks * variance

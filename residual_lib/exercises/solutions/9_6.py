def layers_until(start, limit, power):
    layers = 0
    while start >= limit:
        start **= power  # the logarithm is multiplied, so this is fast
        layers += 1
    return layers

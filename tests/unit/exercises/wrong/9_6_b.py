# hint: One too few
def layers_until(start, limit, power):
    layers = -1
    while start >= limit:
        start **= power
        layers += 1
    return layers

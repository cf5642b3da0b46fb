# hint: divide by the stride first
def macs(layers, size):
    total = 0
    for inputs, outputs, kernel, stride in layers:
        total += size**2 * kernel**2 * inputs * outputs
        size = -(-size // stride)
    return total

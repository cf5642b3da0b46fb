def macs(layers, size):
    total = 0
    for inputs, outputs, kernel, stride in layers:
        size = -(-size // stride)  # rounded up
        total += size**2 * kernel**2 * inputs * outputs
    return total

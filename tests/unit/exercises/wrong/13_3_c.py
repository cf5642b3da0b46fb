# hint: Those are the weights
def macs(layers, size):
    return sum(kernel**2 * inputs * outputs for inputs, outputs, kernel, _ in layers)

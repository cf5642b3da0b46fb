# hint: is missing
def absorbed(weights):
    return weights

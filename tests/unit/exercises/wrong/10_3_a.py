# hint: the square of the scale
def scale(growth, blocks):
    return growth ** (1 / blocks) - 1

# hint: The outermost pixel comes once
def mirrored(position, size):
    position = position % (2 * size)
    return min(position, 2 * size - 1 - position)

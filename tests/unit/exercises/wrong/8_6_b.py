# hint: repeats the outermost pixel
def mirrored(position, size):
    return min(max(position, 0), size - 1)

# hint: begins again at the other side
def mirrored(position, size):
    return position % size

def mirrored(position, size):
    period = 2 * (size - 1)  # there and back
    position = position % period
    return min(position, period - position)

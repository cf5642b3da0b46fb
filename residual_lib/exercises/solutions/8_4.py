def first_weights(width, levels, merge):
    paths = 2 if merge == "concatenate" else 1
    channels = [width * 2**level for level in range(levels)]
    return sum(9 * (paths * c) * c for c in channels)

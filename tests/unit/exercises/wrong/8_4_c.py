# hint: Only the input
def first_weights(width, levels, merge):
    paths = 2 if merge == "concatenate" else 1
    return sum(9 * (paths * width * 2**level) ** 2 for level in range(levels))

# hint: side by side: twice as many
def first_weights(width, levels, merge):
    return sum(9 * (width * 2**level) ** 2 for level in range(levels))

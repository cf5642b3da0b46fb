# hint: twice the channels of the one above
def first_weights(width, levels, merge):
    return 9 * (2 if merge == "concatenate" else 1) * width**2 * levels

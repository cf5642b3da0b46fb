# hint: shares the growth out as a sum
def scale(growth, blocks):
    return ((growth - 1) / blocks) ** 0.5

# hint: divided by its square
def squares(variance, rate, blocks):
    return (1 + variance * (1 - rate)) ** blocks, (1 + variance) ** blocks

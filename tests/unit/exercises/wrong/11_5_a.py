# hint: has the mean 1 / (1 - rate)
def squares(variance, rate, blocks):
    return (1 + variance) ** blocks, (1 + variance) ** blocks

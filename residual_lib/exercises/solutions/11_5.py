def squares(variance, rate, blocks):
    # The mean of b is 1 - rate, and so is that of b^2.
    training = 1 + variance * (1 - rate) / (1 - rate) ** 2
    return training**blocks, (1 + variance) ** blocks

plain_sum = 2**16
by_depth = (1 + 1 / 16) ** 16
rezero = 1

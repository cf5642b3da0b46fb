b0 = sum(blocks - 1 for blocks in (1, 2, 2, 3, 3, 4, 1))
conformer = 4 * 16  # half, attention, convolution, half
impala = 3 * 2

def boundary_flops(c, size):
    pixels = (size // 2) ** 2  # of every output
    first = 9 * c * (2 * c)
    second = 9 * (2 * c) * (2 * c)
    shortcut = c * (2 * c)
    # Together 56 c^2 for each pixel, times 2: the shortcut is 2 of 56, less than 4 %.
    return 2 * pixels * (first + second + shortcut)

# hint: 1x1 convolution is missing
def boundary_flops(c, size):
    pixels = (size // 2) ** 2
    return 2 * pixels * (9 * c * 2 * c + 9 * 2 * c * 2 * c)

# hint: reads 2c channels
def boundary_flops(c, size):
    pixels = (size // 2) ** 2
    return 2 * pixels * (9 * c * 2 * c + 9 * c * 2 * c + c * 2 * c)

# hint: count as two here
def boundary_flops(c, size):
    pixels = (size // 2) ** 2
    return pixels * (9 * c * 2 * c + 9 * 2 * c * 2 * c + c * 2 * c)

# hint: a quarter as many
def boundary_flops(c, size):
    pixels = size**2
    return 2 * pixels * (9 * c * 2 * c + 9 * 2 * c * 2 * c + c * 2 * c)

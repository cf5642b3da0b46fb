# hint: the root of the variance
def folded(kernel, mean, variance, scale, shift):
    slope = scale / variance
    return kernel * slope[:, None, None], shift - mean * slope

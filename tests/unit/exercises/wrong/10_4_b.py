# hint: mind the exponent's sign
def deep_norm(layers):
    alpha, beta = (2 * layers) ** 0.25, (8 * layers) ** 0.25
    return alpha, beta, beta / alpha

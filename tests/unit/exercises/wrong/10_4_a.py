# hint: Don't halve it
def deep_norm(layers):
    alpha, beta = layers**0.25, (4 * layers) ** -0.25
    return alpha, beta, beta / alpha

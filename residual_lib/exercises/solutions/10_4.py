def deep_norm(layers):
    alpha = (2 * layers) ** 0.25
    beta = (8 * layers) ** -0.25
    return alpha, beta, beta / alpha  # the quotient is 1 / sqrt(2 * blocks), with 2 blocks a layer

def scale(growth, blocks):
    # (1 + alpha^2)^blocks = growth
    return (growth ** (1 / blocks) - 1) ** 0.5

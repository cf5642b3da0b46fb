# hint: computes nothing more
def routed(x, experts, factors, capacity):
    return [token + factors[expert] * token for token, expert in zip(x, experts, strict=True)]

# hint: still has its skip
def routed(x, experts, factors, capacity):
    taken, outputs = {}, []
    for token, expert in zip(x, experts, strict=True):
        taken[expert] = taken.get(expert, 0) + 1
        fits = taken[expert] <= capacity
        outputs.append(token + factors[expert] * token if fits else 0.0)
    return outputs

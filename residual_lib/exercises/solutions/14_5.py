def routed(x, experts, factors, capacity):
    taken = dict.fromkeys(experts, 0)
    outputs = []
    for token, expert in zip(x, experts, strict=True):
        branch = 0
        if taken[expert] < capacity:
            taken[expert] += 1
            branch = factors[expert] * token
        outputs.append(token + branch)
    return outputs

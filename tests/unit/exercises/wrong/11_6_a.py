# hint: you bound the mean
def smallest_rate(blocks, most):
    for hundredths in range(100):
        rate = hundredths / 100
        if blocks * (1 - rate / 2) <= most + 1e-9:
            return rate
    raise ValueError("no rate is large enough")

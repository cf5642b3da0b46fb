def parameters(k, links):
    channels = 2 * k
    total = 27 * channels
    for block in range(3):
        for _ in range(links):
            total += 2 * channels + 4 * k * channels  # norm and 1x1
            total += 2 * 4 * k + 9 * 4 * k * k  # norm and 3x3
            channels += k
        total += 2 * channels  # norm of the transition, or the last one
        if block < 2:
            total += channels * (channels // 2)
            channels //= 2
    return total + 10 * channels + 10


def largest_growth(budget, links):
    k = 1
    while parameters(k + 1, links) <= budget:
        k += 1
    return k

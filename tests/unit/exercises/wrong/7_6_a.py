# hint: one too many
def parameters(k, links):
    channels = 2 * k
    total = 27 * channels
    for block in range(3):
        for _ in range(links):
            total += 2 * channels + 4 * k * channels + 8 * k + 36 * k * k
            channels += k
        total += 2 * channels
        if block < 2:
            total += channels * (channels // 2)
            channels //= 2
    return total + 10 * channels + 10


def largest_growth(budget, links):
    k = 1
    while parameters(k, links) <= budget:
        k += 1
    return k

# hint: Its mean is right
from math import comb


def depths(survival):
    n, p = len(survival), sum(survival) / len(survival)
    return [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]

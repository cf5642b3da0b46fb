import math


def unrolled(x, factors, added):
    # What block i adds still has to pass the shortcuts i + 1, i + 2, ...
    later = [math.prod(factors[i + 1 :]) for i in range(len(factors))]
    return math.prod(factors) * x + sum(p * f for p, f in zip(later, added, strict=True))

# hint: behind that block's own shortcut
import math


def unrolled(x, factors, added):
    total = math.prod(factors) * x
    for i, f in enumerate(added):
        total += math.prod(factors[i:]) * f
    return total

# hint: passes the later shortcuts too
import math


def unrolled(x, factors, added):
    return math.prod(factors) * x + sum(added)

# hint: divide by the value at c = 1
from math import asin, pi, sqrt


def cosine_behind(c, a):
    sizes = 2 / pi * (sqrt(1 - c * c) + c * asin(c))
    return ((1 + a) ** 2 * c + (1 - a) ** 2 * sizes) / 4

import math


def cosine_behind(c, a):
    sizes = 2 / math.pi * (math.sqrt(1 - c * c) + c * math.asin(c))
    return ((1 + a) ** 2 * c + (1 - a) ** 2 * sizes) / (2 * (1 + a * a))

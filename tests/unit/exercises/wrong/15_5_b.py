# hint: That is right for ReLU
from math import asin, pi, sqrt


def cosine_behind(c, a):
    return (c + 2 / pi * (sqrt(1 - c * c) + c * asin(c))) / 2

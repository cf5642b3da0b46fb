# hint: A quarter of the directions passes
from torch import nn


def make_shortcut(c):
    return nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(c, 2 * c, 1, bias=False))

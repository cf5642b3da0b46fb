# hint: four pixels of a square apart
from torch import nn


def make_shortcut(c):
    return nn.Conv2d(c, 2 * c, 1, bias=False)

# hint: into four times the channels
from torch import nn


def make_shortcut(c):
    return nn.PixelUnshuffle(2)

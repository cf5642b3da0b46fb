"""Other people's weights: read them safely, and give them to a model of ours.

>>> from residual_lib import checkpoints
>>> model = checkpoints.load("resnet20-12fca82f.th", model="resnet20_cifar")
"""

from residual_lib.checkpoints.families import LAYOUTS
from residual_lib.checkpoints.loading import load
from residual_lib.checkpoints.reading import read, save

__all__ = ["LAYOUTS", "load", "read", "save"]

"""The one training loop: many seeds of one model at once, on any device."""

from residual_lib.train.device import pick_device
from residual_lib.train.loop import evaluate, train
from residual_lib.train.training import Training

__all__ = ["Training", "evaluate", "pick_device", "train"]

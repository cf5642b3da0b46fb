"""Figures that answer: live where a kernel runs, and on a page that has only HTML."""

from residual_lib.explore.controls import Choice, Slider, Toggle
from residual_lib.explore.curve import Curve
from residual_lib.explore.explorer import Explorer
from residual_lib.explore.predictions import predict, recall

__all__ = ["Choice", "Curve", "Explorer", "Slider", "Toggle", "predict", "recall"]

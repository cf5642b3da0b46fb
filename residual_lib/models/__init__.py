"""Whole networks built of `Residual`, made by name."""

from residual_lib.models.conv import ConvNet
from residual_lib.models.mlp import MLP
from residual_lib.models.rectifier import RectifierNet
from residual_lib.models.registry import create_model, list_models, register_model

__all__ = ["MLP", "ConvNet", "RectifierNet", "create_model", "list_models", "register_model"]

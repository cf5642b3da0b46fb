"""Whole networks built of `Residual`, made by name."""

from residual_lib.models.bert import BERT
from residual_lib.models.conformer import Conformer
from residual_lib.models.conv import ConvNet
from residual_lib.models.densenet import DenseNet
from residual_lib.models.efficientnet import EfficientNet
from residual_lib.models.gpt import GPT
from residual_lib.models.impala import ImpalaNet
from residual_lib.models.mlp import MLP
from residual_lib.models.rectifier import RectifierNet
from residual_lib.models.registry import (
    create_model,
    list_models,
    model_factory,
    model_options,
    register_model,
)
from residual_lib.models.repvgg import RepVGG
from residual_lib.models.resnet import ResNet
from residual_lib.models.transformer import Transformer
from residual_lib.models.unet import UNet

__all__ = [
    "BERT",
    "GPT",
    "MLP",
    "Conformer",
    "ConvNet",
    "DenseNet",
    "EfficientNet",
    "ImpalaNet",
    "RectifierNet",
    "RepVGG",
    "ResNet",
    "Transformer",
    "UNet",
    "create_model",
    "list_models",
    "model_factory",
    "model_options",
    "register_model",
]

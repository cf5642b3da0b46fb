"""Parts that go into the slots of a `Residual`, each made by name."""

from residual_lib.nn.activations import ACTIVATIONS, create_activation
from residual_lib.nn.attention import Attention, Cache, attending
from residual_lib.nn.branches import ORDERS, PREACTIVATIONS, in_order, two_layers
from residual_lib.nn.channel_attention import EfficientChannelAttention, SqueezeExcitation
from residual_lib.nn.convolutions import create_conv
from residual_lib.nn.drop_path import DropPath, drop_path_rates
from residual_lib.nn.initialisations import SCHEMES, initialise_
from residual_lib.nn.norms import NORMS, create_norm
from residual_lib.nn.recompute import Recomputed, concatenate_pieces
from residual_lib.nn.relative_attention import RelativeAttention
from residual_lib.nn.scales import LearnedScale, Scale
from residual_lib.nn.shortcuts import (
    SHORTCUTS,
    Gate,
    Highway,
    PadShortcut,
    ShortcutGate,
    create_shortcut,
    projection,
)

__all__ = [
    "ACTIVATIONS",
    "NORMS",
    "ORDERS",
    "PREACTIVATIONS",
    "SCHEMES",
    "SHORTCUTS",
    "Attention",
    "Cache",
    "DropPath",
    "EfficientChannelAttention",
    "Gate",
    "Highway",
    "LearnedScale",
    "PadShortcut",
    "Recomputed",
    "RelativeAttention",
    "Scale",
    "ShortcutGate",
    "SqueezeExcitation",
    "attending",
    "concatenate_pieces",
    "create_activation",
    "create_conv",
    "create_norm",
    "create_shortcut",
    "drop_path_rates",
    "in_order",
    "initialise_",
    "projection",
    "two_layers",
]

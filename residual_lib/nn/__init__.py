"""Parts that go into the slots of a `Residual`, each made by name."""

from residual_lib.nn.activations import ACTIVATIONS, create_activation
from residual_lib.nn.attention import Attention, Cache, attending
from residual_lib.nn.branches import ORDERS, PREACTIVATIONS, in_order, two_layers
from residual_lib.nn.channel_attention import EfficientChannelAttention, SqueezeExcitation
from residual_lib.nn.convolutions import create_conv
from residual_lib.nn.drop_path import DropPath, drop_path_rates, drop_paths, dropped
from residual_lib.nn.initialisations import SCHEMES, initialise_, zero_branches_
from residual_lib.nn.norms import NORMS, create_norm
from residual_lib.nn.recompute import Recomputed, concatenate_pieces
from residual_lib.nn.relative_attention import RelativeAttention
from residual_lib.nn.reversible import Coupling, Reversible
from residual_lib.nn.scales import SCALES, LearnedScale, Scale, create_scale
from residual_lib.nn.shortcuts import (
    SHORTCUTS,
    Gate,
    Highway,
    PadShortcut,
    ShortcutGate,
    create_shortcut,
    projection,
)
from residual_lib.nn.tailored import TailoredReLU, cosine_after, tailored_slope

__all__ = [
    "ACTIVATIONS",
    "NORMS",
    "ORDERS",
    "PREACTIVATIONS",
    "SCALES",
    "SCHEMES",
    "SHORTCUTS",
    "Attention",
    "Cache",
    "Coupling",
    "DropPath",
    "EfficientChannelAttention",
    "Gate",
    "Highway",
    "LearnedScale",
    "PadShortcut",
    "Recomputed",
    "RelativeAttention",
    "Reversible",
    "Scale",
    "ShortcutGate",
    "SqueezeExcitation",
    "TailoredReLU",
    "attending",
    "concatenate_pieces",
    "cosine_after",
    "create_activation",
    "create_conv",
    "create_norm",
    "create_scale",
    "create_shortcut",
    "drop_path_rates",
    "drop_paths",
    "dropped",
    "in_order",
    "initialise_",
    "projection",
    "tailored_slope",
    "two_layers",
    "zero_branches_",
]

"""Parts that go into the slots of a `Residual`, each made by name."""

from residual_lib.nn.activations import ACTIVATIONS, create_activation
from residual_lib.nn.branches import two_layers
from residual_lib.nn.initialisations import SCHEMES, initialise_
from residual_lib.nn.norms import NORMS, create_norm

__all__ = [
    "ACTIVATIONS",
    "NORMS",
    "SCHEMES",
    "create_activation",
    "create_norm",
    "initialise_",
    "two_layers",
]

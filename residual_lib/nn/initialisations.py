"""Initialisations by name: each sets the scale at which a signal passes a layer.

For a layer with n inputs per unit whose weights are independent with mean 0 and variance v,
the pre-activations have variance n v E[h^2], where h is the layer's input. The schemes differ
in v alone, except the orthogonal one, which fixes the singular values and not only their mean.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from residual_lib.residual import iter_residuals

SCHEMES = ("default", "naive", "xavier", "he", "orthogonal", "delta_orthogonal")


def initialise_(model: nn.Module, scheme: str = "he", *, activation: str = "relu") -> nn.Module:
    """Set, in place, the weights of every linear layer and convolution of `model`; biases to 0.

    Args:
        model: any module. Normalisation layers keep their own initialisation. A transposed
            convolution is taken to have its kernel as long as its stride, so that each output
            meets one position's weights only, and those are set like a linear layer's.
        scheme: the law of the weights, n_in and n_out being a unit's number of inputs and outputs:

            - ``"naive"``: normal with variance 1, whatever the width;
            - ``"xavier"``: normal, variance 2 / (n_in + n_out) (Glorot and Bengio 2010, eq. 12);
            - ``"he"``: normal, variance 2 / n_in (He et al. 2015, arXiv 1502.01852, eq. 10);
            - ``"orthogonal"``: rows or columns orthonormal (Saxe et al. 2014), times sqrt(2) for
              the ReLU, so that the second moment is kept as with ``"he"``;
            - ``"delta_orthogonal"``: the same matrix at the kernel's middle and zeros around it, so
              that a convolution begins as an orthogonal map of every position (Xiao et al. 2018,
              arXiv 1806.05393); a linear layer is as with ``"orthogonal"``;
            - ``"default"``: leaves what PyTorch drew, biases included.
        activation: name of the activation that follows; only the orthogonal ones look at it.

    Returns:
        `model` itself.

    Raises:
        ValueError: `scheme` is none of the above.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"init must be one of {list(SCHEMES)}, got {scheme!r}")
    if scheme == "default":
        return model
    for layer in model.modules():
        if isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d)):
            taps = [tap.mT for tap in layer.weight.detach().flatten(2).unbind(-1)]
        elif isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            taps = [layer.weight]
        else:
            continue
        for weight in taps:
            if scheme == "naive":
                nn.init.normal_(weight)
            elif scheme == "xavier":
                nn.init.xavier_normal_(weight)
            elif scheme == "he":
                nn.init.kaiming_normal_(weight, nonlinearity="relu")
            else:
                gain = 2**0.5 if activation == "relu" else 1.0
                middle = _middle_(weight) if scheme == "delta_orthogonal" else weight
                nn.init.orthogonal_(middle, gain=gain)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return model


def zero_branches_(model: nn.Module) -> nn.Module:
    """Set to 0, in place, what comes last in the branch of every `Residual` and has parameters.

    That is a normalisation (Goyal et al. 2017, arXiv 1706.02677, section 5.1) or a layer (Zhang et
    al. 2019, "Fixup", arXiv 1901.09321): the branch gives 0, and the block starts as its shortcut.

    Returns:
        `model` itself.
    """
    for _, block in iter_residuals(model):
        if isinstance(block.branch, nn.Sequential):
            last = [part for part in block.branch if list(part.parameters())][-1]
            for parameter in last.parameters():
                nn.init.zeros_(parameter)
    return model


@torch.no_grad()
def _middle_(weight: Tensor) -> Tensor:
    """Set a kernel to zero, and return a view of the matrix (out, in) at its middle."""
    weight.zero_()
    for size in weight.shape[2:]:
        weight = weight.select(2, size // 2)
    return weight.detach()

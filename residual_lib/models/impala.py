"""The residual trunk of IMPALA: what an agent sees with.

Espeholt et al. 2018 (arXiv 1802.01561), figure 3, right, and the authors' code. 15 convolutions,
6 skips, no normalisation; an LSTM behind it and the policy's and value's heads aren't here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from residual_lib.models.registry import register_model
from residual_lib.nn import create_activation, create_conv, initialise_
from residual_lib.nn.checks import check_positive
from residual_lib.residual import Residual, add, branch_only


class ImpalaNet(nn.Module):
    """Stages of a convolution, a pooling and residual blocks; then a linear layer.

    A stage has a 3x3 convolution, 3x3 max-pooling of stride 2 and blocks x + F(x), with F an
    activation, a convolution, an activation and a convolution: pre-activation without
    normalisation. A frame of 8-bit colours should be divided by 255 before.

    Shapes: (batch, in_chans, height, width) -> (batch, features), or (batch, num_classes) with a
    head.

    Args:
        in_chans: channels of a frame.
        num_classes: outputs of a linear head, such as a logit for each action; None for no head.
        image_size: height and width of a frame; its default is that of the authors' code.
        widths: channels of each stage.
        blocks: blocks of each stage.
        features: outputs of the linear layer.
        skip: False for the plain network: each block's merge keeps the branch alone.
        activation: name, see `residual_lib.nn.ACTIVATIONS`.
        init: name of the initialisation, see `residual_lib.nn.initialise_`.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int | None = None,
        *,
        image_size: Sequence[int] = (72, 96),
        widths: Sequence[int] = (16, 32, 32),
        blocks: int = 2,
        features: int = 256,
        skip: bool = True,
        activation: str = "relu",
        init: str = "he",
    ) -> None:
        super().__init__()
        check_positive(in_chans=in_chans, blocks=blocks, features=features)
        if num_classes is not None:
            check_positive(num_classes=num_classes)
        if len(image_size) != 2:
            raise ValueError(f"image_size must be (height, width), got {image_size!r}")
        if not widths:
            raise ValueError(f"widths must be a number for each stage, got {widths!r}")
        for size in image_size:
            check_positive(image_size=size)
        for width in widths:
            check_positive(widths=width)

        def conv(inputs: int, outputs: int) -> nn.Module:
            return create_conv(inputs, outputs, 3, bias=True)

        def block(width: int) -> Residual:
            branch = nn.Sequential(
                OrderedDict(
                    act1=create_activation(activation),
                    layer1=conv(width, width),
                    act2=create_activation(activation),
                    layer2=conv(width, width),
                )
            )
            return Residual(branch, merge=add if skip else branch_only)

        channels, height, across = in_chans, *image_size
        stages = []
        for width in widths:
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            parts["layer"] = conv(channels, width)
            parts["pool"] = nn.MaxPool2d(3, stride=2, padding=1)
            parts["blocks"] = nn.Sequential(*(block(width) for _ in range(blocks)))
            stages.append(nn.Sequential(parts))
            channels, height, across = width, -(-height // 2), -(-across // 2)
        self.stages = nn.Sequential(*stages)
        self.act = create_activation(activation)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels * height * across, features)
        self.fc_act = create_activation(activation)
        self.head = nn.Identity() if num_classes is None else nn.Linear(features, num_classes)
        initialise_(self, init, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        x = self.flatten(self.act(self.stages(x)))
        return self.head(self.fc_act(self.fc(x)))


register_model("impala", ImpalaNet, widths=(16, 32, 32), blocks=2, features=256)
_SMALL = {"in_chans": 1, "num_classes": 10, "image_size": (8, 8)}
_SMALL |= {"widths": (8, 16), "features": 32}
register_model("small_impala", ImpalaNet, _SMALL)

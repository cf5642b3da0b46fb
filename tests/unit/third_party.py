"""Residual and dense networks as other people define them, rebuilt from their published structure.

The names of the parts, their order and what they compute are those of the public definitions;
the code is ours. None of it uses residual_lib, so it can be compared with it.
"""

import torch
import torch.nn.functional as F
from torch import nn


def conv3x3(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


class Basic(nn.Module):
    """torchvision's and timm's basic block; `projection` is the attribute's name elsewhere."""

    expansion = 1

    def __init__(self, inputs, width, stride, shortcut, projection):
        super().__init__()
        self.conv1, self.bn1 = conv3x3(inputs, width, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width), nn.BatchNorm2d(width)
        self.projection = projection
        setattr(self, projection, shortcut)

    def forward(self, x):
        shortcut = getattr(self, self.projection)
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if shortcut is None else shortcut(x)
        return F.relu(out)


class Bottleneck(nn.Module):
    """torchvision's ('v1.5', stride in the 3x3) or the paper's (stride in the first 1x1)."""

    expansion = 4
    stride_first = False

    def __init__(self, inputs, width, stride, shortcut, projection):
        super().__init__()
        first, second = (stride, 1) if self.stride_first else (1, stride)
        self.conv1 = nn.Conv2d(inputs, width, 1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width, second), nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.projection = projection
        setattr(self, projection, shortcut)

    def forward(self, x):
        shortcut = getattr(self, self.projection)
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if shortcut is None else shortcut(x)
        return F.relu(out)


class PaperBottleneck(Bottleneck):
    stride_first = True


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def projected(inputs, outputs, stride):
    """conv, bn: torchvision's ``downsample`` and the CIFAR repositories' ``shortcut``."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
    )


def averaged(inputs, outputs, stride):
    """timm's ``downsample`` with ``avg_down=True``."""
    pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
    return nn.Sequential(
        pool if stride > 1 else nn.Identity(),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )


def padded(inputs, outputs, stride):
    """The option A of akamaster's CIFAR models."""
    side = outputs // 4
    return Lambda(lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, side, side), "constant", 0))


class Net(nn.Module):
    """Their common skeleton: ``conv1``, ``bn1``, ``layer1`` ..., a linear layer called `head`."""

    def __init__(self, block, blocks, width, shortcut, *, projection, head, stem, classes):
        super().__init__()
        if stem == "imagenet":
            self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        elif stem == "deep":
            half = width // 2
            self.conv1 = nn.Sequential(
                conv3x3(3, half, 2), nn.BatchNorm2d(half), nn.ReLU(),
                conv3x3(half, half), nn.BatchNorm2d(half), nn.ReLU(),
                conv3x3(half, width),
            )  # fmt: skip
        else:
            self.conv1 = conv3x3(3, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.Identity() if stem == "cifar" else nn.MaxPool2d(3, 2, padding=1)
        inputs = width
        for stage, count in enumerate(blocks):
            layers = []
            for index in range(count):
                stride = 2 if stage and not index else 1
                inner = width * 2**stage
                outputs = inner * block.expansion
                change = stride != 1 or inputs != outputs
                # The CIFAR repositories have an empty Sequential where nothing changes.
                same = None if projection == "downsample" else nn.Sequential()
                path = shortcut(inputs, outputs, stride) if change else same
                layers.append(block(inputs, inner, stride, path, projection))
                inputs = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.stages, self.head = len(blocks), head
        setattr(self, head, nn.Linear(inputs, classes))

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return getattr(self, self.head)(F.adaptive_avg_pool2d(x, 1).flatten(1))


def torchvision(depth, classes=1000, shortcut=projected):
    block, blocks = {
        18: (Basic, [2, 2, 2, 2]),
        34: (Basic, [3, 4, 6, 3]),
        50: (Bottleneck, [3, 4, 6, 3]),
        -50: (PaperBottleneck, [3, 4, 6, 3]),
    }[depth]
    return Net(
        block, blocks, 64, shortcut,
        projection="downsample", head="fc", stem="imagenet", classes=classes,
    )  # fmt: skip


def timm_50d(classes=1000):
    """timm's resnet50d: bottlenecks, deep stem, average before the projection."""
    return Net(
        Bottleneck, [3, 4, 6, 3], 64, averaged,
        projection="downsample", head="fc", stem="deep", classes=classes,
    )  # fmt: skip


def akamaster(depth, classes=10, shortcut=padded):
    return Net(
        Basic, [(depth - 2) // 6] * 3, 16, shortcut,
        projection="shortcut", head="linear", stem="cifar", classes=classes,
    )  # fmt: skip


def kuangliu_18(classes=10):
    """ResNet-18 of four stages on images of 32x32."""
    return Net(
        Basic, [2, 2, 2, 2], 64, projected,
        projection="shortcut", head="linear", stem="cifar", classes=classes,
    )  # fmt: skip


def chenyaofo(depth, classes=100):
    """CIFAR models with projections, named as torchvision names its own."""
    return Net(
        Basic, [(depth - 2) // 6] * 3, 16, projected,
        projection="downsample", head="fc", stem="cifar", classes=classes,
    )  # fmt: skip


class DenseLayer(nn.Module):
    """torchvision's: all features so far come as a list, and only the new ones are returned."""

    def __init__(self, inputs, growth, bottleneck):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, bottleneck * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bottleneck * growth)
        self.conv2 = conv3x3(bottleneck * growth, growth)

    def forward(self, features):
        out = self.conv1(F.relu(self.norm1(torch.cat(features, 1))))
        return self.conv2(F.relu(self.norm2(out)))


class PlainDenseLayer(nn.Module):
    """Without the bottleneck."""

    def __init__(self, inputs, growth, bottleneck):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), conv3x3(inputs, growth)

    def forward(self, features):
        return self.conv1(F.relu(self.norm1(torch.cat(features, 1))))


class DenseBlock(nn.Module):
    def __init__(self, layer, count, inputs, growth, bottleneck):
        super().__init__()
        for number in range(count):
            name = f"denselayer{number + 1}"
            self.add_module(name, layer(inputs + number * growth, growth, bottleneck))

    def forward(self, x):
        features = [x]
        for layer in self.children():
            features.append(layer(features))
        return torch.cat(features, 1)


class Transition(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2, stride=2)


class Dense(nn.Module):
    """torchvision's skeleton, and that of Pleiss et al. for CIFAR, which call the parts alike."""

    def __init__(
        self, counts, growth, features, *, classes, stem="imagenet", final="norm5",
        layer=DenseLayer, bottleneck=4, compression=0.5,
    ):  # fmt: skip
        super().__init__()
        self.features = nn.Sequential()
        if stem == "imagenet":
            self.features.add_module("conv0", nn.Conv2d(3, features, 7, 2, padding=3, bias=False))
            self.features.add_module("norm0", nn.BatchNorm2d(features))
            self.features.add_module("relu0", nn.ReLU())
            self.features.add_module("pool0", nn.MaxPool2d(3, stride=2, padding=1))
        else:
            self.features.add_module("conv0", conv3x3(3, features))
        for number, count in enumerate(counts, start=1):
            block = DenseBlock(layer, count, features, growth, bottleneck)
            self.features.add_module(f"denseblock{number}", block)
            features += count * growth
            if number < len(counts):
                kept = int(features * compression)
                self.features.add_module(f"transition{number}", Transition(features, kept))
                features = kept
        self.features.add_module(final, nn.BatchNorm2d(features))
        self.classifier = nn.Linear(features, classes)

    def forward(self, x):
        x = F.relu(self.features(x))
        return self.classifier(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


def torchvision_dense(depth, classes=1000):
    counts, growth, features = {
        121: ((6, 12, 24, 16), 32, 64),
        161: ((6, 12, 36, 24), 48, 96),
    }[depth]
    return Dense(counts, growth, features, classes=classes)


def pleiss_dense(classes=10):
    """DenseNet-BC of depth 100 and growth rate 12 for images of 32x32."""
    return Dense((16,) * 3, 12, 24, classes=classes, stem="cifar", final="norm_final")


def plain_dense(classes=10):
    """The first DenseNet for images of 32x32: no bottleneck, no compression, depth 40."""
    return Dense(
        (12,) * 3, 12, 16, classes=classes, stem="cifar", layer=PlainDenseLayer, compression=1.0
    )  # fmt: skip

"""Models of every shape that a `Residual` allows, small and in float64, for tests of probes."""

import torch
from torch import nn

from residual_lib.models import create_model
from residual_lib.residual import Residual, branch_only, concatenate, label_residuals

WIDTH, CLASSES = 6, 3


def linear(inputs=WIDTH, outputs=WIDTH):
    return nn.Sequential(nn.Linear(inputs, outputs), nn.Tanh())


def stack():
    return nn.Sequential(*(Residual(linear()) for _ in range(4)), nn.Linear(WIDTH, CLASSES))


def linear_stack():
    blocks = (Residual(nn.Linear(WIDTH, WIDTH, bias=False)) for _ in range(4))
    return nn.Sequential(*blocks, nn.Linear(WIDTH, CLASSES))


def plain_stack():
    blocks = (Residual(linear(), merge=branch_only) for _ in range(3))
    return nn.Sequential(*blocks, nn.Linear(WIDTH, CLASSES))


def dense():
    blocks = [Residual(linear(WIDTH + 2 * i, 2), merge=concatenate) for i in range(3)]
    return nn.Sequential(*blocks, nn.Linear(WIDTH + 6, CLASSES))


def nested():
    """A U: the branch of the outer block holds the level below."""
    inner = Residual(linear(), merge=concatenate)
    middle = nn.Sequential(Residual(linear()), inner, linear(2 * WIDTH, WIDTH))
    return nn.Sequential(
        Residual(middle, merge=concatenate), nn.Linear(2 * WIDTH, WIDTH), Residual(linear()),
        nn.Linear(WIDTH, CLASSES),
    )  # fmt: skip


class Parallel(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = Residual(linear()), Residual(linear())
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        return self.head(self.left(x) + self.right(x))


def repeated():
    """One block that runs three times."""
    block = Residual(linear())
    return nn.Sequential(block, block, block, nn.Linear(WIDTH, CLASSES))


def projected():
    """Learned shortcuts, a scale, and something after the merge."""
    scale = nn.Linear(4, 4, bias=False)
    return nn.Sequential(
        Residual(linear(WIDTH, 4), shortcut=nn.Linear(WIDTH, 4), scale=scale, after=nn.ReLU()),
        Residual(linear(4, 4), scale=lambda h: 0.5 * h),
        Residual(linear(4, 4), scale=nn.Tanh(), after=nn.Tanh()),
        nn.Linear(4, CLASSES),
    )


def weighted():
    """A merge that is a module with a parameter of its own."""

    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(0.3))

        def forward(self, shortcut, branch):
            return torch.lerp(shortcut, branch, self.weight)

    blocks = (Residual(linear(), merge=Weighted()) for _ in range(2))
    return nn.Sequential(*blocks, nn.Linear(WIDTH, CLASSES))


def residual_mlp():
    return create_model(
        "residual_mlp", in_features=WIDTH, num_classes=CLASSES, width=5, depth=8, norm_layer="batch"
    )


def plain_conv():
    return create_model("plain_conv1d", num_classes=CLASSES, width=4, depth=6)


def residual_conv():
    return create_model("residual_conv2d", num_classes=CLASSES, width=4, depth=8)


def small(name, **options):
    return create_model(name, num_classes=CLASSES, **{"width": 4, **options})


def resnet():
    """Strides and projections: three stages, each of which halves the size."""
    return small("resnet20_cifar", shortcut="B")


def padded_resnet():
    return small("resnet20_cifar", shortcut="A")


def preact_resnet():
    return small("preact_resnet20_cifar")


def densenet():
    """Links inside blocks, a transition between them."""
    return small_dense()


def recomputed_densenet():
    return small_dense(memory_efficient=True)


def small_dense(**options):
    return create_model(
        "small_densenet2d", num_classes=CLASSES, growth_rate=2, num_init_features=3,
        block_config=(2, 2), **options,
    )  # fmt: skip


def unet():
    """Skips inside skips, with an answer for each position of an odd size."""
    return create_model("small_unet2d", num_classes=CLASSES, width=2)


def valid_unet():
    """One level has its skip, cropped; the other is plain."""
    return create_model("small_unet1d", num_classes=CLASSES, width=2, padded=False, skips=(1,))


def added_unet():
    return create_model("small_unet1d", num_classes=CLASSES, width=2, merge="add")


def tokenwise(name, **options):
    """A Transformer on four tokens of CLASSES kinds: its targets are four as well."""
    sizes = {"vocab_size": CLASSES, "block_size": 4, "n_layer": 2, "n_head": 2, "n_embd": WIDTH}
    return create_model(name, **sizes, init="xavier", **options)


def gpt():
    return tokenwise("small_gpt")


def post_norm_gpt():
    return tokenwise("small_gpt", pre_norm=False)


def plain_gpt():
    return tokenwise("small_gpt", skip=False)


def bert():
    return tokenwise("small_bert")


MODELS = {
    build.__name__: build
    for build in (
        stack, linear_stack, plain_stack, dense, nested, Parallel, repeated, projected, weighted,
        residual_mlp, plain_conv, residual_conv, resnet, padded_resnet,
        preact_resnet, densenet, recomputed_densenet, unet, valid_unet, added_unet,
        gpt, post_norm_gpt, plain_gpt, bert,
    )
}  # fmt: skip

SHAPES = {
    "plain_conv": (1, 7),
    "residual_conv": (1, 4, 5),
    **dict.fromkeys(("resnet", "padded_resnet", "preact_resnet"), (3, 8, 8)),
    **dict.fromkeys(("densenet", "recomputed_densenet"), (1, 6, 6)),
    "unet": (1, 5, 6),
    "valid_unet": (1, 46),
    "added_unet": (1, 7),
}


def make(name, seed=0):
    """Return a model and a batch for it; the model's running statistics aren't the initial ones."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = label_residuals(MODELS[name]()).double()
    if hasattr(model, "tokens"):
        x = torch.randint(0, CLASSES, (8, 4), generator=generator)
    else:
        x = torch.randn(8, *SHAPES.get(name, (WIDTH,)), generator=generator, dtype=torch.float64)
    output = model(x)
    # A class for each example, or for each position of it.
    y = torch.randint(0, CLASSES, (8, *output.shape[2:]), generator=generator)
    return model, (x, y)

"""Change what blocks do for a while: the mechanism under lesions, paths and identity-ness.

A `Residual` brings its two paths together in one call, ``merge(shortcut, branch)``. What stands in
for that function decides what becomes of either path, in whatever model the block sits. So every
change here is a stand-in for a slot of a block, put before the block's own and taken away again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from residual_lib.residual import Merge, Residual, branch_only, iter_residuals

PATHS = ("branch", "shortcut")  # what `deleted` can delete


def blocks_of(model: nn.Module) -> dict[str, Residual]:
    """Return every `Residual` of `model` by qualified name, outermost first.

    Raises:
        ValueError: there is none.
    """
    blocks = dict(iter_residuals(model))
    if not blocks:
        raise ValueError(f"model must have a Residual in it, got {type(model).__name__}")
    return blocks


def deleted(
    model: nn.Module, names: Collection[str], path: str = "branch"
) -> AbstractContextManager[None]:
    """Delete one of the two paths of the blocks called `names`, so that only the other is left.

    What the path brings to the merge becomes zeros of its shape; a concatenation keeps its number
    of channels. In a plain block, whose merge drops the shortcut, the shortcut takes a deleted
    branch's place: what is left is the identity. Veit et al. 2016 (arXiv 1605.06431), section 4.1,
    compare the two. To delete such a block's shortcut changes nothing.

    Args:
        model: any model made of `Residual`.
        names: of blocks.
        path: ``"branch"`` (what a link adds; all levels below, in a U-Net) or ``"shortcut"`` (the
            skip).

    Raises:
        ValueError: no such block or path; or, at the forward pass, a plain block whose input and
            output differ in shape, so that nothing could take its place.
    """
    if path not in PATHS:
        raise ValueError(f"path must be one of {list(PATHS)}, got {path!r}")

    def without_branch(name: str, merge: Merge) -> Merge:
        if merge is branch_only:
            return lambda shortcut, branch: _in_place_of(name, branch, shortcut)
        return lambda shortcut, branch: merge(shortcut, torch.zeros_like(branch))

    def without_shortcut(name: str, merge: Merge) -> Merge:
        return lambda shortcut, branch: merge(torch.zeros_like(shortcut), branch)

    return merging(model, names, without_branch if path == "branch" else without_shortcut)


def backward_through(model: nn.Module, names: Collection[str]) -> AbstractContextManager[None]:
    """Let gradients pass the branches of the blocks called `names`, and the shortcuts elsewhere.

    Values stay as they are; each block passes the gradient on to one of its two paths and none to
    the other (Veit et al. 2016, section 5).

    Raises:
        ValueError: no such block.
    """
    check_names(model, names)

    def one_way(name: str, merge: Merge) -> Merge:
        if name in names:
            return lambda shortcut, branch: merge(shortcut.detach(), branch)
        return lambda shortcut, branch: merge(shortcut, branch.detach())

    return merging(model, blocks_of(model), one_way)


@contextmanager
def swapped(model: nn.Module, partners: Mapping[str, str]) -> Iterator[None]:
    """Let each block called by a key run the branch, and the scale, of the block in the value.

    Blocks whose shortcut is the identity change places in this way, as in Veit et al. 2016,
    section 4.3. The caller sees to it that shapes fit and that no block lies inside the other.

    Raises:
        ValueError: no such block.
    """
    check_names(model, {*partners, *partners.values()})
    blocks = blocks_of(model)
    slots = {
        name: {"branch": blocks[other].branch, "scale": blocks[other].scale}
        for name, other in partners.items()
    }
    with _standing_in(blocks, slots):
        yield


@contextmanager
def merging(
    model: nn.Module, names: Collection[str], stand_in: Callable[[str, Merge], Merge]
) -> Iterator[None]:
    """Let ``stand_in(name, merge)`` take the place of the merge of every block in `names`.

    Raises:
        ValueError: no such block.
    """
    check_names(model, names)
    blocks = blocks_of(model)
    slots = {name: {"merge": stand_in(name, blocks[name].merge)} for name in names}
    with _standing_in(blocks, slots):
        yield


@contextmanager
def silenced(part: nn.Module, channels: slice, *, axis: int = -1) -> Iterator[None]:
    """Let a part read zeros in place of some channels of its input.

    What comes to one layer side by side, such as the heads of an attention, is deleted in this way
    one at a time.

    Args:
        part: a module whose first input has the channels.
        channels: which of them.
        axis: where the channels stand.
    """

    def silence(part: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x = inputs[0].clone()
        x.movedim(axis, 0)[channels] = 0
        return (x, *inputs[1:])

    handle = part.register_forward_pre_hook(silence)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def entering(blocks: Mapping[str, Residual]) -> Iterator[list[Tensor]]:
    """Let what enters the first block to run be a leaf of autograd's graph, and hand it over."""
    origin: list[Tensor] = []

    def catch(block: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if origin:
            return None
        origin.append(inputs[0].detach().requires_grad_())
        return (origin[0], *inputs[1:])

    handles = [block.register_forward_pre_hook(catch) for block in blocks.values()]
    try:
        yield origin
    finally:
        for handle in handles:
            handle.remove()


def check_names(model: nn.Module, names: Collection[str]) -> None:
    """Raise ValueError unless every name is that of a block of `model`."""
    known = blocks_of(model)
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"names must be of iter_residuals(model), {list(known)}; got {unknown}")


@contextmanager
def _standing_in(
    blocks: Mapping[str, Residual], slots: Mapping[str, Mapping[str, Any]]
) -> Iterator[None]:
    """Put other things into the blocks' slots, and the blocks' own back at the end.

    An instance's own dictionary comes before the registered submodules when an attribute is
    looked up, so nothing is registered, renamed or moved, whether a slot holds a module or not.
    """
    before = {name: dict(vars(blocks[name])) for name in slots}
    for name, parts in slots.items():
        vars(blocks[name]).update(parts)
    try:
        yield
    finally:
        for name, parts in slots.items():
            own = vars(blocks[name])
            for slot in parts:
                del own[slot]
                if slot in before[name]:
                    own[slot] = before[name][slot]


def _in_place_of(name: str, branch: Tensor, shortcut: Tensor) -> Tensor:
    if shortcut.shape != branch.shape:
        raise ValueError(
            f"{name}: a plain block from {tuple(shortcut.shape)} to {tuple(branch.shape)} can't be "
            "deleted: without a branch nothing changes the shape"
        )
    return shortcut

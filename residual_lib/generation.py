"""Text from a language model, one token after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from residual_lib.data.base import check_number
from residual_lib.models import GPT
from residual_lib.nn import Cache


@torch.no_grad()
def generate(
    model: GPT,
    prompt: Tensor,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
    cached: bool = True,
) -> Tensor:
    """Continue a text by drawing each next token from what the model says of it.

    A text longer than the model's `block_size` is continued from its last `block_size` tokens.

    Args:
        model: it is called in evaluation mode, and left as it was.
        prompt: token numbers, (positions,) or (texts, positions), at least one position.
        max_new_tokens: how many tokens to add to each text.
        temperature: what the logits are divided by: below 1 the likely becomes likelier; 0 takes
            the likeliest token each time.
        top_k: draw from the so many likeliest tokens only. Default: from all.
        seed: of the draws, which are made on the CPU, so that it gives the same on every device.
        cached: keep keys and values (see `residual_lib.nn.Cache`) while the text fits
            `block_size`. It makes no other text, but for rounding, and takes a fraction of the
            time. Behind that, the window slides, each token changes its position, and nothing kept
            would be right.

    Returns:
        Prompt and continuation, (positions + max_new_tokens,) or (texts, ...), on the prompt's
        device.

    Raises:
        TypeError: `model` is no `GPT`, or an argument is of the wrong type.
        ValueError: an argument is out of its range; the message names it.
    """
    if not isinstance(model, GPT):
        raise TypeError(f"model must be a GPT, got {type(model).__name__}")
    check_number("max_new_tokens", max_new_tokens, 0, integer=True)
    check_number("temperature", temperature, 0)
    if top_k is not None:
        check_number("top_k", top_k, 1, integer=True)
    check_number("seed", seed, 0, integer=True)
    text = _checked_prompt(prompt, model.vocab_size)
    draws = torch.Generator().manual_seed(seed)
    cache = Cache()
    with _evaluating(model):
        for _ in range(max_new_tokens):
            if cached and text.shape[1] <= model.block_size:
                logits = model(text[:, cache.length :], cache)
            else:
                logits = model(text[:, -model.block_size :])
            following = _drawn(logits[..., -1].cpu().double(), temperature, top_k, draws)
            text = torch.cat((text, following.to(text.device)), 1)
    return text if prompt.ndim == 2 else text[0]


def _drawn(logits: Tensor, temperature: float, top_k: int | None, draws: torch.Generator) -> Tensor:
    """One token for each row of logits, (texts, vocab_size) -> (texts, 1)."""
    if temperature == 0:
        return logits.argmax(1, keepdim=True)
    # The largest first, or a low temperature makes infinities.
    logits, order = logits.sort(dim=1, descending=True, stable=True)
    shares = ((logits - logits[:, :1]) / temperature).softmax(1)
    if top_k is not None:
        shares = shares[:, :top_k]
    return order.gather(1, torch.multinomial(shares, 1, generator=draws))


def _checked_prompt(prompt: Tensor, vocab_size: int) -> Tensor:
    if not isinstance(prompt, Tensor) or prompt.is_floating_point():
        raise TypeError(f"prompt must be a tensor of whole numbers, got {prompt!r}")
    if prompt.ndim not in (1, 2) or not prompt.numel():
        raise ValueError(
            "prompt must have the shape (positions,) or (texts, positions) with at least one "
            f"position, got {tuple(prompt.shape)}"
        )
    least, most = int(prompt.min()), int(prompt.max())
    if least < 0 or most >= vocab_size:
        raise ValueError(
            f"prompt must have token numbers from 0 to {vocab_size - 1}, got {least} to {most}"
        )
    return prompt if prompt.ndim == 2 else prompt[None]


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode

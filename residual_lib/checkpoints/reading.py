"""Files of weights, opened without running anything that is in them."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

SUFFIXES = (".pt", ".pth", ".th", ".tar", ".bin", ".ckpt", ".safetensors")
# What training scripts put their weights under, and what wrappers put before their names.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.", "encoder.")


def read(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name, on the CPU.

    A file of safetensors holds nothing but numbers. The others are pickles, which can hold
    programs: they are read by ``torch.load(..., weights_only=True)``, which refuses any but
    tensors and plain containers, and runs nothing. Wrappers such as ``{"state_dict": ...}`` and
    prefixes such as ``module.`` are taken off.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is none of these kinds, is damaged, holds more than weights, or none.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must be a file, got {str(path)!r}")
    if path.suffix not in SUFFIXES:
        raise ValueError(f"path must end in one of {', '.join(SUFFIXES)}, got {path.name!r}")
    content: Any
    if path.suffix == ".safetensors":
        try:
            content = load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path.name} is no file of safetensors: {_line(error)}") from None
    else:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the pickle's age; what matters is raised
                content = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise ValueError(
                f"{path.name} is refused: it is damaged or holds more than tensors and plain "
                f"containers, and nothing in it was run ({_line(error)})"
            ) from None
        except (RuntimeError, EOFError, OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{path.name} is no PyTorch checkpoint: {_line(error)}") from None
    tensors = _unwrapped(content)
    if not tensors:
        raise ValueError(f"{path.name} must hold tensors by name, got {_kind(content)}")
    return _bare(tensors)


def save(model: nn.Module, path: str | Path) -> Path:
    """Write the weights and buffers of `model` as safetensors, and return the path.

    Raises:
        ValueError: the name doesn't end in .safetensors.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path must end in .safetensors, got {path.name!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: t.detach().contiguous() for name, t in model.state_dict().items()}, path)
    return path


def _unwrapped(content: Any) -> dict[str, Tensor]:
    """The mapping of names to tensors in `content`; empty if there is none."""
    if not isinstance(content, Mapping):
        return {}
    for key in WRAPPERS:
        if isinstance(content.get(key), Mapping):
            return _unwrapped(content[key])
    named = all(isinstance(name, str) for name in content)
    tensors = all(isinstance(value, Tensor) for value in content.values())
    return dict(content) if named and tensors else {}


def _bare(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take off the prefixes that all names share."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            return _bare({name.removeprefix(prefix): t for name, t in tensors.items()})
    return tensors


def _kind(content: Any) -> str:
    if isinstance(content, Mapping):
        return f"a mapping with the keys {sorted(map(str, content))[:8]}"
    return f"a {type(content).__name__}"


def _line(error: Exception) -> str:
    """The part of PyTorch's long messages that says what is wrong."""
    text = str(error).strip()
    _, marker, reason = text.partition("WeightsUnpickler error: ")
    return (reason if marker else text).partition("\n")[0].strip() or type(error).__name__

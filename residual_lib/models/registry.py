"""Models by name, as in timm: ``create_model("residual_conv1d", depth=20)``."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from torch import nn

from residual_lib.residual import label_residuals

_MODELS: dict[str, partial[nn.Module]] = {}
_DEFAULTS: dict[str, dict[str, Any]] = {}


def register_model(
    name: str,
    factory: Callable[..., nn.Module],
    defaults: Mapping[str, Any] | None = None,
    **fixed: Any,
) -> None:
    """Let `create_model` know `name`.

    Args:
        name: the model's name.
        factory: what builds it.
        defaults: arguments of `factory` that this model has unless told otherwise.
        fixed: arguments of `factory` that make the model what its name says, and are no options.

    Raises:
        ValueError: the name is taken.
    """
    if name in _MODELS:
        raise ValueError(f"name must be new, got {name!r}, which is registered already")
    _MODELS[name] = partial(factory, **fixed)
    _DEFAULTS[name] = dict(defaults or {})


def list_models(pattern: str = "*") -> list[str]:
    """Return the sorted names of the models that match a shell-style `pattern`."""
    return sorted(name for name in _MODELS if fnmatchcase(name, pattern))


def model_options(name: str) -> list[str]:
    """Return the sorted names of the options that `create_model` takes for `name`.

    Raises:
        ValueError: there is no such model.
    """
    factory = _registered(name)
    return sorted(set(inspect.signature(factory.func).parameters) - set(factory.keywords))


def model_factory(name: str) -> Callable[..., nn.Module]:
    """Return what builds the model called `name`: the class of its family.

    Raises:
        ValueError: there is no such model.
    """
    return _registered(name).func


def create_model(name: str, **options: Any) -> nn.Module:
    """Build the model called `name`, with its blocks labelled for error messages.

    Args:
        name: one of `list_models()`.
        options: arguments of that model, such as ``depth`` or ``num_classes``.

    Raises:
        ValueError: there is no such model, or an option is out of its range.
        TypeError: the model has no such option.
    """
    allowed = model_options(name)
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise TypeError(f"{name} has no option {', '.join(unknown)}; its options are {allowed}")
    return label_residuals(_MODELS[name](**{**_DEFAULTS[name], **options}))


def _registered(name: str) -> partial[nn.Module]:
    if name not in _MODELS:
        close = difflib.get_close_matches(str(name), _MODELS, n=3) or list_models()
        raise ValueError(f"name must be one of list_models(), got {name!r}; close: {close}")
    return _MODELS[name]

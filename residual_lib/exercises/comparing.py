"""Say how an output differs from the expected one. Pure: no code of the learner runs here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Number
from reprlib import Repr
from typing import Any

import numpy as np
import torch

_FEW = 8  # entries of an array that are still shown in full


@dataclass(frozen=True)
class Difference:
    """What is wrong with an output.

    Attributes:
        text: 'expected ..., got ...', one or two sentences without a full stop.
        kind: 'type', 'shape', 'value': how far the output got. A text about a value tells
            what is right, one about a type or a shape doesn't.
    """

    text: str
    kind: str = "value"


def difference(
    expected: Any, got: Any, *, rtol: float = 1e-5, atol: float = 1e-8
) -> Difference | None:
    """Compare an output with the expected one.

    Arrays, tensors and nested lists of numbers count as the same thing, and so do numbers and
    0-d arrays, so that an output that went through JSON is judged as it was. Numbers are equal
    as in `numpy.isclose`; NaN equals NaN. Strings are compared without case and outer spaces.

    Args:
        expected: None, a bool, number, string, array, tensor; or a list, tuple or dict of these.
        got: anything.
        rtol, atol: tolerances, relative to the expected number and absolute.

    Raises:
        TypeError: `expected` is none of these.
    """
    if isinstance(expected, str):
        return _compare_strings(expected, got)
    if isinstance(expected, Mapping):
        return _compare_mappings(expected, got, rtol, atol)
    if isinstance(expected, bool | np.bool_) or expected is None:
        return _compare_singletons(expected, got)
    array = as_array(expected)
    if array is not None:
        return _compare_arrays(array, got, rtol, atol)
    if isinstance(expected, list | tuple):
        return _compare_sequences(expected, got, rtol, atol)
    raise TypeError(f"expected must be plain data, got {describe(expected)}")


def as_array(value: Any) -> np.ndarray | None:
    """`value` as an array of real numbers, or None where it isn't one."""
    try:
        array = np.asarray(_numbers(value))
    except Exception:  # the learner's object may do anything when it is looked at
        return None
    return array if array.dtype.kind in "biuf" else None


def _numbers(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return value.float().numpy() if value.dtype is torch.bfloat16 else value.numpy()
    if isinstance(value, list | tuple):
        return [_numbers(item) for item in value]
    if isinstance(value, np.ndarray | np.generic | Number):
        return value
    raise TypeError("not a number")


def _compare_strings(expected: str, got: Any) -> Difference | None:
    if not isinstance(got, str):
        return Difference(f"expected a string, got {describe(got)}", "type")
    if expected.strip().casefold() == got.strip().casefold():
        return None
    return Difference(f"expected {expected!r}, got {describe(got)}")


def _compare_singletons(expected: Any, got: Any) -> Difference | None:
    if isinstance(expected, bool | np.bool_):
        array = as_array(got)
        if array is None or array.ndim or array.dtype.kind != "b":
            return Difference(f"expected True or False, got {describe(got)}", "type")
        got, expected = bool(array), bool(expected)
    return None if got is expected else Difference(f"expected {expected}, got {describe(got)}")


def _compare_mappings(
    expected: Mapping[Any, Any], got: Any, rtol: float, atol: float
) -> Difference | None:
    if not isinstance(got, Mapping):
        return Difference(f"expected a dict, got {describe(got)}", "type")
    if set(got) != set(expected):
        names = ", ".join(map(repr, expected))
        return Difference(f"expected a dict with the keys {names}, got {describe(got)}", "shape")
    for key, value in expected.items():
        found = difference(value, got[key], rtol=rtol, atol=atol)
        if found:
            return Difference(f"at key {key!r}: {found.text}", found.kind)
    return None


def _compare_sequences(
    expected: list[Any] | tuple[Any, ...], got: Any, rtol: float, atol: float
) -> Difference | None:
    if not isinstance(got, list | tuple):
        return Difference(f"expected {len(expected)} things, got {describe(got)}", "type")
    if len(got) != len(expected):
        return Difference(f"expected {len(expected)} things, got {len(got)}", "shape")
    for i, (value, other) in enumerate(zip(expected, got, strict=True)):
        found = difference(value, other, rtol=rtol, atol=atol)
        if found:
            return Difference(f"at position {i}: {found.text}", found.kind)
    return None


def _compare_arrays(expected: np.ndarray, got: Any, rtol: float, atol: float) -> Difference | None:
    array = as_array(got)
    wanted = {0: "one number", 1: f"{len(expected.ravel())} numbers"}.get(
        expected.ndim, f"numbers of shape {expected.shape}"
    )
    if array is None:
        return Difference(f"expected {wanted}, got {describe(got)}", "type")
    if array.shape != expected.shape:
        return _other_shape(expected, array, wanted, got, rtol, atol)
    with np.errstate(all="ignore"):
        equal = np.isclose(array, expected, rtol=rtol, atol=atol, equal_nan=True)
    if equal.all():
        return None
    place = tuple(int(i) for i in np.argwhere(~equal)[0])
    right, wrong = two_numbers(expected[place].item(), array[place].item())
    text = f"expected {right}, got {wrong}"
    if expected.ndim:
        where = place[0] if len(place) == 1 else place
        count = f" ({(~equal).sum()} of {equal.size} numbers differ)" if equal.size > 1 else ""
        text = f"at index {where}: {text}{count}"
    if array.dtype.kind in "iu" and expected.dtype.kind == "f":
        text += f". Yours are whole numbers ({array.dtype}): fractions were cut off"
    return Difference(text)


def _other_shape(
    expected: np.ndarray, array: np.ndarray, wanted: str, got: Any, rtol: float, atol: float
) -> Difference:
    text = f"expected {wanted}, got {describe(got)}"
    if array.shape == expected.shape[::-1] and np.allclose(array.T, expected, rtol, atol):
        text += ": yours is the transpose"
    elif array.size == expected.size == 1:
        text += ": take the number out of it, as with .item()"
    return Difference(text, "shape")


def pattern(expected: list[Any], got: list[Any]) -> str:
    """What is regular in wrong outputs, over all inputs: a sign, a factor, the order.

    Returns:
        A sentence, or '' where nothing is.
    """
    pairs = [(as_array(e), as_array(g)) for e, g in zip(expected, got, strict=True)]
    arrays = [(e, g) for e, g in pairs if e is not None and g is not None and e.shape == g.shape]
    if not arrays or len(arrays) < len(pairs):
        return ""
    right, wrong = (np.concatenate([pair[i].ravel() for pair in arrays]) for i in (0, 1))
    backwards = [e[::-1] for e, _ in arrays if e.ndim]
    if len(backwards) == len(arrays) and np.allclose(np.concatenate(backwards).ravel(), wrong):
        return "The numbers are right, but in the opposite order."
    used = right != 0
    if used.sum() < 2 or not np.isfinite(wrong).all() or (wrong[~used] != 0).any():
        return ""
    factors = wrong[used] / right[used]
    factor = float(np.median(factors))
    if not np.allclose(factors, factor, rtol=1e-4, atol=0) or factor == 0:
        return ""
    if math.isclose(factor, -1, rel_tol=1e-4):
        return "Every sign is the other way round."
    return f"Yours is {factor:.4g} times the expected everywhere."


def two_numbers(a: float, b: float) -> tuple[str, str]:
    """Both as text, with as many digits as it takes to tell them apart."""
    for digits in (5, 8, 12, 17):
        first, second = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if first != second:
            break
    return first, second


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_nested, value))}]"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


_repr = Repr()
_repr.maxstring = _repr.maxother = 60
_repr.maxlist = _repr.maxtuple = _repr.maxdict = _FEW


def describe(value: Any) -> str:
    """`value` in a few words; small data in full. Never raises."""
    try:
        return _describe(value)
    except Exception:  # the learner's object may do anything when it is looked at
        return f"an object of type {type(value).__name__}"


def _describe(value: Any) -> str:
    if value is None or isinstance(value, bool | str):
        return _repr.repr(value)
    if isinstance(value, np.ndarray | torch.Tensor):
        kind = "an array" if isinstance(value, np.ndarray) else "a tensor"
        array = as_array(value)
        if array is None:
            return f"{kind} of {value.dtype}"
        if array.size > _FEW or not array.ndim:
            return f"{kind} of shape {array.shape}" if array.ndim else f"{array.item():.5g}"
        short = _nested(array.tolist())
        return short if array.ndim == 1 else f"{short} of shape {array.shape}"
    if isinstance(value, float | np.floating):
        return f"{value:.5g}"
    if isinstance(value, int | np.integer):
        return str(value)
    if isinstance(value, list | tuple | dict):
        return _repr.repr(value)
    if callable(value):
        kind = "the class" if isinstance(value, type) else "the function"
        return f"{kind} {getattr(value, '__name__', type(value).__name__)}"
    return f"an object of type {type(value).__name__}"

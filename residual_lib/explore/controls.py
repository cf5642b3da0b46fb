"""What the reader of an explorer can set: a few values each, known in advance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Control:
    """One named argument of the render function, with the values that it can take.

    Attributes:
        name: the argument's name.
        label: what the page calls it.
        values: all values, in order.
        texts: what the page calls each value.
        keys: what a link to a state calls each value.
        start: index of the value shown first.
    """

    def __init__(
        self, name: str, values: Sequence[Any], texts: Sequence[str], label: str | None, start: Any
    ) -> None:
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"name must be an argument's name such as 'depth', got {name!r}")
        if label is not None and (not isinstance(label, str) or not label.strip()):
            raise ValueError(f"label of {name!r} must be a text, got {label!r}")
        self.name = name
        self.label = name.replace("_", " ") if label is None else label
        self.values = tuple(values)
        self.texts = tuple(texts)
        if len(self.values) < 2 or len(set(self.values)) < len(self.values):
            raise ValueError(f"{name!r} needs at least two different values, got {self.values}")
        if len(set(self.texts)) < len(self.texts):
            raise ValueError(f"{name!r} has values that read alike: {', '.join(self.texts)}")
        if start is not None and start not in self.values:
            raise ValueError(f"default of {name!r} must be one of {self.values}, got {start!r}")
        self.keys = tuple(key_of(value) for value in self.values)
        if len(set(self.keys)) < len(self.keys):
            raise ValueError(f"{name!r} has values that a link can't tell apart: {self.values}")
        self.start = 0 if start is None else self.values.index(start)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {list(self.values)})"


class Slider(Control):
    """Ordered values, one position each: depth, step, learning rate.

    Args:
        name: the render function's argument.
        values: at least two, in the order of the slider; they needn't be evenly spaced.
        label: what the page calls it; default: the name.
        unit: follows the value, as in "20 layers".
        default: the value shown first; default: the first.

    Raises:
        TypeError: `values` isn't a sequence.
        ValueError: a name that can't be an argument, fewer than two values, an unknown default.
    """

    def __init__(
        self,
        name: str,
        values: Sequence[Any],
        label: str | None = None,
        unit: str | None = None,
        default: Any = None,
    ) -> None:
        values = _sequence(name, values)
        unit = "" if unit is None else f" {unit}"
        texts = [text_of(value) + unit for value in values]
        super().__init__(name, values, texts, label, default)


class Choice(Control):
    """One of several: radio buttons up to four, a list beyond.

    Args:
        name: the render function's argument.
        options: the values, or a mapping from each value to what the page calls it.
        label: what the page calls the choice; default: the name.
        default: the value shown first; default: the first.

    Raises:
        TypeError, ValueError: as for `Slider`.
    """

    def __init__(
        self,
        name: str,
        options: Sequence[Any] | Mapping[Any, str],
        label: str | None = None,
        default: Any = None,
    ) -> None:
        values = list(options) if isinstance(options, Mapping) else _sequence(name, options)
        named = options if isinstance(options, Mapping) else {}
        texts = [str(named.get(value, text_of(value))) for value in values]
        super().__init__(name, values, texts, label, default)


class Toggle(Control):
    """On or off: a checkbox. The render function gets True or False.

    Args:
        name: the render function's argument.
        label: what the page calls it; default: the name.
        default: whether it is on at first.

    Raises:
        ValueError: as for `Slider`.
    """

    def __init__(self, name: str, label: str | None = None, default: bool = False) -> None:
        super().__init__(name, (False, True), ("off", "on"), label, default)


def text_of(value: Any) -> str:
    """A value as the page writes it: 0.1 and not 0.10000000000000001, 1000 and not 1e+03."""
    if isinstance(value, float):
        return f"{value:g}".replace("-", "−")
    return str(value)


def key_of(value: Any) -> str:
    """A value as a link writes it: 56, 0.1, 1 for True."""
    if isinstance(value, (bool, float)):
        return f"{value:g}"
    return str(value)


def _sequence(name: str, values: Any) -> list[Any]:
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise TypeError(f"values of {name!r} must be a list of values, got {values!r}")
    return [value.item() if hasattr(value, "item") else value for value in values]

"""Checks of arguments, for parts and for whole networks."""

from __future__ import annotations


def check_positive(**arguments: int) -> None:
    """Raise ValueError, with the argument's name, unless each is a whole number above 0."""
    for name, value in arguments.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a whole number above 0, got {value!r}")

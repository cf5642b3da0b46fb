"""Diagrams of blocks, in one style for the whole book, each element named as in the code.

`block_diagram` draws what `residual_lib.Residual` computes: the branch as a column of boxes, the
skip beside it, and at the right of each element the slot of `Residual` that it stands in. Lines
and text take the page's text colour, the skip the colour that residual nets have in every figure.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from residual_lib.figures import Picture, check_alt

WIDTH = 374  # points, as the figures: 11-point text stays readable on a phone
BOX, GAP, BRANCH_X, SKIP_X = (118, 26), 16.0, 190, 62  # sizes; centres of branch and skip
INK = "var(--rl-ink,currentColor)"
SKIP = "var(--rl-1,#0077bb)"
MERGES = ("+", "concatenate", "gate", "none")


def block_diagram(
    branch: Sequence[str],
    alt: str,
    *,
    shortcut: str | None = None,
    scale: str | None = None,
    merge: str = "+",
    after: str | None = None,
    caption: str | None = None,
) -> Picture:
    """Draw a block from its input x, at the top, to its output y.

    Args:
        branch: what F consists of, first to last, a box each.
        alt: what the diagram shows, in a sentence.
        shortcut: what stands on the skip; None for the identity.
        scale: what the branch's output passes before the merge; None for nothing.
        merge: ``"+"``, ``"concatenate"``, ``"gate"``, or ``"none"``: a plain block, without skip.
        after: what follows the merge; None for nothing.
        caption: text below the diagram.

    Returns:
        A picture that a notebook shows when it is a cell's last value.

    Raises:
        ValueError: the branch is empty, `merge` is none of the above, or `alt` says nothing.
    """
    if not branch:
        raise ValueError("branch must have at least one part, got none")
    if merge not in MERGES:
        raise ValueError(f"merge must be one of {list(MERGES)}, got {merge!r}")
    alt = check_alt(alt)
    parts = [_text(BRANCH_X, 14, "x", italic=True)]
    y = 20.0
    fork = y + 8
    y = _arrow(parts, BRANCH_X, y, 2 * GAP)
    top = y
    for name in branch:
        y = _box(parts, BRANCH_X, y, name)
        y = _arrow(parts, BRANCH_X, y, GAP)
    _bracket(parts, top, y - GAP, "branch: F")
    if scale is not None:
        _slot(parts, y + BOX[1] / 2, "scale")
        y = _box(parts, BRANCH_X, y, scale)
        y = _arrow(parts, BRANCH_X, y, GAP)
    if merge != "none":
        centre = y + 11
        _skip(parts, fork, centre, shortcut)
        sign = {"+": "+", "concatenate": "[ ]", "gate": "g"}[merge]
        parts.append(_circle(BRANCH_X, centre, sign))
        called = {"+": "add", "concatenate": "concatenate", "gate": "Highway"}[merge]
        _slot(parts, centre, f"merge: {called}")
        y = _arrow(parts, BRANCH_X, y + 22, GAP)
    if after is not None:
        _slot(parts, y + BOX[1] / 2, "after")
        y = _box(parts, BRANCH_X, y, after)
        y = _arrow(parts, BRANCH_X, y, GAP)
    parts.append(_text(BRANCH_X, y + 12, "y", italic=True))
    style = f"fill:{INK};font-size:11px"
    svg = f'<svg viewBox="0 0 {WIDTH} {y + 20:g}" style="{style}">{"".join(parts)}</svg>'
    return Picture(svg, alt, caption)


def _text(x: float, y: float, text: str, *, italic: bool = False, anchor: str = "middle") -> str:
    slant = ' font-style="italic"' if italic else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{slant}>{html.escape(text)}</text>'


def _line(path: str, colour: str = INK) -> str:
    return f'<path d="{path}" style="fill:none;stroke:{colour};stroke-width:1.6"/>'


def _arrow(parts: list[str], x: float, y: float, length: float) -> float:
    """An arrow downwards; returns where it ends."""
    end = y + length
    parts.append(_line(f"M{x:g} {y:g}V{end - 4:g}"))
    parts.append(f'<path d="M{x - 4:g} {end - 6:g}h8l-4 6z" style="fill:{INK}"/>')
    return end


def _box(parts: list[str], x: float, y: float, name: str) -> float:
    width, height = BOX
    parts.append(
        f'<rect x="{x - width / 2:g}" y="{y:g}" width="{width}" height="{height}" rx="4" '
        f'style="fill:none;stroke:{INK};stroke-width:1.2"/>'
    )
    parts.append(_text(x, y + height / 2 + 4, name))
    return y + height


def _circle(x: float, y: float, sign: str) -> str:
    ring = (
        f'<circle cx="{x:g}" cy="{y:g}" r="11" style="fill:none;stroke:{SKIP};stroke-width:1.6"/>'
    )
    return ring + _text(x, y + 4, sign)


def _skip(parts: list[str], fork: float, centre: float, shortcut: str | None) -> None:
    """The line around the branch, with what stands on it."""
    side = f"{BRANCH_X}"
    middle = (fork + centre) / 2
    name = "identity" if shortcut is None else shortcut
    parts.append(f'<circle cx="{side}" cy="{fork:g}" r="2.5" style="fill:{SKIP}"/>')
    into = f"V{centre:g}H{BRANCH_X - 15}"
    if shortcut is None:
        parts.append(_line(f"M{side} {fork:g}H{SKIP_X}{into}", SKIP))
        parts.append(_text(SKIP_X - 6, middle - 4, "shortcut:", anchor="end"))
        parts.append(_text(SKIP_X - 6, middle + 10, name, anchor="end"))
    else:
        half = BOX[1] / 2
        parts.append(_line(f"M{side} {fork:g}H{SKIP_X}V{middle - half:g}", SKIP))
        parts.append(_line(f"M{SKIP_X} {middle + half:g}{into}", SKIP))
        _box(parts, SKIP_X, middle - half, name)
        parts.append(_text(SKIP_X - 6, middle - half - 8, "shortcut", anchor="end"))
    tip = BRANCH_X - 11
    parts.append(f'<path d="M{tip - 6} {centre - 4:g}v8l6 -4z" style="fill:{SKIP}"/>')


def _slot(parts: list[str], y: float, name: str) -> None:
    """The name of a slot of `Residual`, at the right."""
    parts.append(_text(BRANCH_X + BOX[0] / 2 + 20, y + 4, name, anchor="start"))


def _bracket(parts: list[str], top: float, bottom: float, name: str) -> None:
    x = BRANCH_X + BOX[0] / 2 + 6
    parts.append(_line(f"M{x:g} {top:g}h6V{bottom:g}h-6"))
    _slot(parts, (top + bottom) / 2, name)

"""Many similar SVG texts as few different parts: what frames share is stored once."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A part begins where a tag does, and before what many paths have in common.
JOINT = re.compile(r"(?=<[a-z])|(?= (?:style|clip-path)=)")


def pack(frames: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """Split texts into parts and describe each text by runs of parts.

    Args:
        frames: the texts.

    Returns:
        (parts, runs): text i is, for each pair (first, count) in `runs[i]`, the parts from
        `first` on, `count` of them, put together. `explorer.js` does that in the browser.
    """
    parts: list[str] = []
    known: dict[str, int] = {}
    packed = []
    for frame in frames:
        runs: list[int] = []
        for part in filter(None, JOINT.split(frame)):
            following = runs[-2] + runs[-1] if runs else -1
            if not 0 <= following < len(parts) or parts[following] != part:
                if part not in known:
                    known[part] = len(parts)
                    parts.append(part)
                if known[part] != following:
                    runs += [known[part], 0]
            runs[-1] += 1
        packed.append(runs)
    return parts, packed


def unpack(parts: Sequence[str], runs: Sequence[int]) -> str:
    """One text from its runs: the inverse of `pack`."""
    pairs = zip(runs[::2], runs[1::2], strict=True)
    return "".join("".join(parts[first : first + count]) for first, count in pairs)

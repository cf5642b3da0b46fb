"""Fonts, cut down to the characters that are drawn with them."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from fontTools import subset


def cut(source: Path, target: Path, characters: Collection[int]) -> bool:
    """Write a font with those characters only; False, and no file, where it has none of them."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    options = subset.Options(flavor="woff2", layout_features=[], drop_tables=["GSUB", "GPOS"])
    font = subset.load_font(str(source), options)
    if not set(characters) & set(font.getBestCmap()):
        return False
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=characters)
    cutter.subset(font)
    subset.save_font(font, str(target), options)
    return True

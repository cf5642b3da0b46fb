"""When the course was released."""

from __future__ import annotations

import re

from .paths import ROOT


def date() -> str:
    """The date in CITATION.cff, which stands for what isn't released yet, too: what bears it must
    not call itself new at every build."""
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    found = re.search(r"^date-released: [\"']?(\d{4}-\d\d-\d\d)", citation, re.MULTILINE)
    if found is None:
        raise ValueError("CITATION.cff has no date-released")
    return found[1]

"""Finding and reading tags in HTML text."""

from __future__ import annotations

import re
from html import unescape

_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?""")


def opening(name: str) -> re.Pattern[str]:
    """Matches the opening tags of that name; quoted attribute values may contain '>'."""
    return re.compile(rf"""<{name}\b(?P<attributes>(?:[^>"']|"[^"]*"|'[^']*')*)>""", re.IGNORECASE)


def attributes(tag: re.Match[str]) -> dict[str, str]:
    """Attributes of a tag that `opening` matched; one without value has ''."""
    text = tag["attributes"].rstrip("/ ")
    return {
        found[1].lower(): unescape(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(text)
    }

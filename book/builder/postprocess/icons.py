"""Font Awesome's fonts, cut down to the icons that the style sheet still draws."""

from __future__ import annotations

import re
from pathlib import Path

from . import fonts
from .stylesheet import NAME

_GLYPH = re.compile(r"""(?:--fa|content)\s*:\s*["'](.)["']""")
_FACE = re.compile(r"@font-face ?\{[^}]*\}\n?")
_WOFF2 = re.compile(r"""url\("(vendor/fontawesome/[^"]+\.woff2)"\)""")
FOLDER = "icons"


def subset(static: Path) -> None:
    """Write small fonts and point the style sheet at them. The style sheet comes first: which
    icons it still has is exact, while names in pages would have to be guessed from."""
    sheet = static / NAME
    css = sheet.read_text(encoding="utf-8")
    glyphs = {ord(character) for character in _GLYPH.findall(css)}
    (static / FOLDER).mkdir(exist_ok=True)

    def face(found: re.Match[str]) -> str:
        font = _WOFF2.search(found[0])
        if not font:
            return found[0]
        small = static / FOLDER / Path(font[1]).name
        if not small.exists() and not fonts.cut(static / font[1], small, glyphs):
            return ""
        address = f'src:url("{FOLDER}/{small.name}") format("woff2")'
        return re.sub(r"src:[^;}]*", lambda _: address, found[0])

    sheet.write_text(_FACE.sub(face, css), encoding="utf-8")

"""What the theme's own script does, without what is slow."""

from __future__ import annotations

from pathlib import Path

# When a page has loaded, this measures every box that might scroll: see _assets/scrolling.js.
_MEASURES = ',"complete"===document.readyState?I():window.addEventListener("load",I)'


def tidy(static: Path) -> None:
    script = static / "scripts" / "pydata-sphinx-theme.js"
    text = script.read_text(encoding="utf-8")
    if _MEASURES not in text:
        raise ValueError("the theme's script has changed: see where it measures boxes now")
    script.write_text(text.replace(_MEASURES, ""), encoding="utf-8")

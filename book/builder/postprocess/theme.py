"""The theme's own scripts, without what is slow or in the way of a keyboard."""

from __future__ import annotations

from pathlib import Path

_TIDIED = (
    # When a page has loaded, this measures every box that might scroll: see _assets/scrolling.js.
    (
        "pydata-sphinx-theme.js",
        ',"complete"===document.readyState?I():window.addEventListener("load",I)',
    ),
    # This takes the focus from a button that was pressed, so that its tooltip goes away. The site
    # has no such tooltips, and a dialog could not give the focus back.
    ("sphinx-book-theme.js", 't&&t.addEventListener("click",(()=>{t.blur()}),!0)'),
)


def tidy(static: Path) -> None:
    """Take these parts out. Raises ValueError where the theme has changed and one isn't there."""
    for name, part in _TIDIED:
        script = static / "scripts" / name
        text = script.read_text(encoding="utf-8")
        if part not in text:
            raise ValueError(f"the theme's {name} has changed: see what has become of {part}")
        script.write_text(text.replace(part, ""), encoding="utf-8")

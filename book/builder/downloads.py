"""Links of the first page to what a build may have or not: the PDF, the archive."""

from __future__ import annotations

from .paths import HTML

_PAGES = ("index.html", "book/index.html")


def reveal(kind: str) -> None:
    """Show the link to the 'pdf' or the 'zip', which stands on the page hidden.

    Raises:
        ValueError: the page has no such link.
    """
    for name in _PAGES:
        path = HTML / name
        html = path.read_text(encoding="utf-8")
        shown = html.replace(f'class="rl-{kind}" hidden', f'class="rl-{kind}"')
        if f'class="rl-{kind}"' not in shown:
            raise ValueError(f"{name} has no link of class rl-{kind}")
        path.write_text(shown, encoding="utf-8")

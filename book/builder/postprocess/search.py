"""Search results that quote text, and matches that can be hidden again."""

from __future__ import annotations

from pathlib import Path

_CHANGES = {
    # Sphinx takes these out of a page before it quotes it. Ours, too: a formula stands on the page
    # twice (HTML for the eye, MathML for the ear, with its LaTeX), and a quiz's answers are for who
    # has tried.
    ("searchtools.js", '[".headerlink", "script", "style"]'): (
        '[".headerlink", "script", "style", "svg", "annotation", ".katex-html", ".rl-controls", '
        '".rl-answer"]'
    ),
    # A script as an address, which the security policy forbids: see _assets/site.js.
    ("sphinx_highlight.js", '<a href="javascript:SphinxHighlight.hideSearchWords()">'): (
        '<button type="button" class="btn btn-sm" data-action="hide-matches">'
    ),
    ("sphinx_highlight.js", '"</a></p>"'): '"</button></p>"',
}


def tidy(static: Path) -> None:
    """Change Sphinx's scripts. Raises ValueError where one has changed and a part isn't there."""
    for (name, sphinx), ours in _CHANGES.items():
        script = static / name
        text = script.read_text(encoding="utf-8")
        if sphinx not in text:
            raise ValueError(f"Sphinx's {name} has changed: see what has become of {sphinx}")
        script.write_text(text.replace(sphinx, ours), encoding="utf-8")

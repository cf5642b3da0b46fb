"""Search results that quote text, and not what lies beside it for other readers."""

from __future__ import annotations

from pathlib import Path

# Sphinx takes these out of a page before it quotes it.
_SPHINX = '[".headerlink", "script", "style"]'
# A formula stands on the page twice (HTML for the eye, MathML for the ear, with its LaTeX). The
# answers of a quiz are for those who have tried.
_OURS = (
    '[".headerlink", "script", "style", "svg", "annotation", ".katex-html", ".rl-controls", '
    '".rl-answer"]'
)


def tidy(static: Path) -> None:
    script = static / "searchtools.js"
    text = script.read_text(encoding="utf-8")
    if _SPHINX not in text:
        raise ValueError("Sphinx's searchtools.js has changed: see what it takes out of pages now")
    script.write_text(text.replace(_SPHINX, _OURS), encoding="utf-8")

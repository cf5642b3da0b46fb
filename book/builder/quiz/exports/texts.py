"""Markdown, as the questions are written in, to HTML that other programs can show.

Formulas stay LaTeX, between `\\( \\)` or `\\[ \\]`: Anki, Moodle and Canvas set those with MathJax.
Whatever else is text is escaped, and can't be taken for a formula.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.myst_role import myst_role_plugin

_DELIMITER = re.compile(r"\\([()\[\]])")
_TARGET = re.compile(r"(?s)(.+?)\s*<[^<>]*>")


def blocks(markdown: str) -> str:
    """HTML of paragraphs, lists, code and formulas."""
    return _MARKDOWN.render(markdown).strip()


def inline(markdown: str) -> str:
    """HTML of one line, without a paragraph around it."""
    return _MARKDOWN.renderInline(markdown).strip()


def code(python: str) -> str:
    """HTML of code, line by line as it is."""
    return f'<pre><code class="language-python">{plain(python.rstrip())}\n</code></pre>'


def plain(text: str) -> str:
    """HTML that shows a text as it is."""
    return _DELIMITER.sub(r"\\<span>\1</span>", html.escape(text, quote=False))


def _text(tokens: Sequence[Token], at: int, *_: object) -> str:
    return plain(tokens[at].content)


def _code_inline(tokens: Sequence[Token], at: int, *_: object) -> str:
    return f"<code>{plain(tokens[at].content)}</code>"


def _code_block(tokens: Sequence[Token], at: int, *_: object) -> str:
    name = tokens[at].info.split()
    language = f' class="language-{html.escape(name[0])}"' if name else ""
    return f"<pre><code{language}>{plain(tokens[at].content)}</code></pre>\n"


def _math(before: str, after: str) -> Callable[..., str]:
    def render(tokens: Sequence[Token], at: int, *_: object) -> str:
        return f"{before}{html.escape(tokens[at].content.strip(), quote=False)}{after}"

    return render


def _role(tokens: Sequence[Token], at: int, *_: object) -> str:
    """What is linked on the site, such as a term of the glossary, is its words elsewhere."""
    text = tokens[at].content
    named = _TARGET.fullmatch(text)
    return plain(named[1] if named else text)


def _make() -> MarkdownIt:
    # As the site reads it: see myst_enable_extensions in _config.yml.
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    dollarmath_plugin(markdown)
    amsmath_plugin(markdown)
    myst_role_plugin(markdown)
    rules = {
        "text": _text,
        "code_inline": _code_inline,
        "code_block": _code_block,
        "fence": _code_block,
        "math_inline": _math(r"\(", r"\)"),
        "math_block": _math(r"<p>\[", "\\]</p>\n"),
        "math_block_label": _math(r"<p>\[", "\\]</p>\n"),
        "amsmath": _math(r"<p>\[", "\\]</p>\n"),
        "myst_role": _role,
    }
    for name, rule in rules.items():
        markdown.renderer.rules[name] = rule
    return markdown


_MARKDOWN = _make()

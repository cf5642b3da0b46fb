"""One style sheet for the whole site, with the rules that some page can use."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import tinycss2
from lxml import html as lxml_html
from tinycss2.ast import Node

from .tags import attributes, opening

_LINK = re.compile(r"\s*" + opening("link").pattern, re.IGNORECASE)
_STATIC = re.compile(r"^(?:\.\./)*(?:\./)?_static/")
_WORD = re.compile(r"[A-Za-z_][\w-]*")
_NAME = re.compile(r"([.#]?)((?:\\.|[\w-])+)")
_PARENTHESES = re.compile(r"\([^()]*\)")
_PSEUDO = re.compile(r"::?[\w-]+")
_ATTRIBUTE = re.compile(r"\[[^\]]*\]")
# Rules that hold rules.
_NESTED = {"media", "supports", "layer", "container"}
NAME = "course.css"


def merge(pages: dict[Path, str], static: Path) -> None:
    """Replace the style sheets that the pages link by one, in the order of their first use."""
    order: list[str] = []
    for path, html in pages.items():
        for tag in _LINK.finditer(html):
            name = _sheet(tag)
            if name and name not in order:
                order.append(name)
        pages[path] = _with_one_link(html)
    used = _Used(pages.values(), [p.read_text(errors="replace") for p in static.rglob("*.js")])
    css = "".join(_purged(_with_addresses(static, name), used) for name in order)
    (static / NAME).write_text(_without_unused_faces(css), encoding="utf-8")
    for path in static.rglob("*.css"):
        if path.name != NAME:
            path.unlink()


def _sheet(tag: re.Match[str]) -> str | None:
    """Path under _static of a style sheet's link; None for other links."""
    have = attributes(tag)
    if have.get("rel") != "stylesheet":
        return None
    path = urlsplit(have["href"]).path
    if not _STATIC.match(path):
        raise ValueError(f"a page links the style sheet {have['href']}, which isn't the site's own")
    return _STATIC.sub("", path)


def _with_one_link(html: str) -> str:
    first = True

    def replace(tag: re.Match[str]) -> str:
        nonlocal first
        if _sheet(tag) is None:
            return tag[0]
        root = attributes(tag)["href"].split("_static/")[0]
        link = f'\n    <link rel="stylesheet" href="{root}_static/{NAME}">' if first else ""
        first = False
        return link

    return _LINK.sub(replace, html)


def _with_addresses(static: Path, name: str) -> str:
    """A style sheet's text, what it imports included, with addresses relative to _static."""
    folder = posixpath.dirname(name)

    def imported(found: re.Match[str]) -> str:
        return _with_addresses(static, posixpath.normpath(posixpath.join(folder, found[1])))

    def absolute(found: re.Match[str]) -> str:
        url = found[1].strip("\"'")
        if url.startswith(("data:", "#")) or "://" in url:
            return found[0]
        path = posixpath.normpath(posixpath.join(folder, urlsplit(url).path))
        return f'url("{path}")'

    css = re.sub(r"url\(([^)]*)\)", absolute, (static / name).read_text(encoding="utf-8"))
    css = re.sub(r"""@import\s+["']([^"']+)["'];""", imported, css)
    return re.sub(r"""(font-family:)([^;}"']*\\[^;}"']*)""", _quoted, css)


def _quoted(family: re.Match[str]) -> str:
    r"""`Font Awesome\ 6 Free` -> `"Font Awesome 6 Free"`, as the rules that use it have it."""
    return f'{family[1]}"{family[2].replace(chr(92), "")}"'


class _Used:
    """Names of elements, classes and ids on the pages, and every word that a script could set."""

    def __init__(self, pages: Iterable[str], scripts: list[str]) -> None:
        self.elements: set[str] = set()
        self.names: set[str] = set()
        for page in pages:
            tree = lxml_html.document_fromstring(page)
            for element in tree.iter():
                if not isinstance(element.tag, str):
                    continue
                self.elements.add(element.tag.lower())
                self.names.update((element.get("class") or "").split())
                if element.get("id"):
                    self.names.add(element.get("id"))
            for script in tree.iter("script"):
                scripts = [*scripts, script.text or ""]
        for script in scripts:
            words = set(_WORD.findall(script))
            self.names |= words
            self.elements |= words & {"dialog", "section", "ul", "li", "button", "kbd", "mark"}

    def may_match(self, selector: str) -> bool:
        """Whether an element could match: no name in the selector is unknown. What stands in
        parentheses, such as `:not(.a)`, is left out, which errs on the side of keeping."""
        while (shorter := _PARENTHESES.sub("", selector)) != selector:
            selector = shorter
        selector = _PSEUDO.sub("", _ATTRIBUTE.sub("", selector))
        for kind, name in _NAME.findall(selector):
            name = re.sub(r"\\(.)", r"\1", name)
            if kind and name not in self.names:
                return False
            if not kind and name[0].isalpha() and name.lower() not in self.elements:
                return False
        return True


def _purged(css: str, used: _Used) -> str:
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    return "".join(_rule(rule, used) for rule in rules)


def _rule(rule: Node, used: _Used) -> str:
    if rule.type == "error":
        raise ValueError(f"a style sheet can't be read: {rule.message}")
    if rule.type == "qualified-rule":
        body = tinycss2.serialize(rule.content).strip()
        selectors = _split(tinycss2.serialize(rule.prelude))
        kept = [selector for selector in selectors if used.may_match(selector)]
        return f"{','.join(kept)}{{{body}}}\n" if kept and body else ""
    if rule.at_keyword == "charset":
        return ""
    prelude = tinycss2.serialize(rule.prelude).strip()
    if rule.lower_at_keyword in _NESTED and rule.content is not None:
        inside = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
        body = "".join(_rule(inner, used) for inner in inside)
        return f"@{rule.at_keyword} {prelude}{{{body}}}\n" if body else ""
    if rule.content is None:
        return f"@{rule.at_keyword} {prelude};\n"
    return f"@{rule.at_keyword} {prelude}{{{tinycss2.serialize(rule.content).strip()}}}\n"


def _split(prelude: str) -> list[str]:
    """Selectors of a list; a comma within parentheses, brackets or quotes doesn't part them."""
    parts, depth, quote, start = [], 0, "", 0
    for i, character in enumerate(prelude):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(prelude[start:i])
            start = i + 1
    return [part.strip() for part in [*parts, prelude[start:]]]


def _without_unused_faces(css: str) -> str:
    """Leave out fonts whose family no rule names any more."""
    faces = re.compile(r"@font-face ?\{[^}]*\}\n?")
    rest = faces.sub("", css)

    def keep(face: re.Match[str]) -> str:
        family = re.search(r"font-family:\s*[\"']?([^;\"'}]+)", face[0])
        return face[0] if family and family[1].strip() in rest else ""

    return faces.sub(keep, css)

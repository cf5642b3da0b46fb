"""Makes the built pages light and strict: the order matters, the security policy comes last.

Pages are changed as text, tag by tag, so that everything a chapter wrote (its figures, its
explorers) stays as it is, byte for byte, but for further copies of the same style or script.
"""

from __future__ import annotations

from pathlib import Path

from . import (
    copies,
    front,
    head,
    icons,
    images,
    names,
    policy,
    progress,
    scripts,
    search,
    stylesheet,
)


def run(site: Path) -> None:
    """Rewrite a site in place. Once: it expects the pages as Sphinx wrote them."""
    front.drop_leftovers(site)
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(site.rglob("*.html"))}
    for path, html in pages.items():
        depth = len(path.relative_to(site).parts) - 1
        html = scripts.lighten(copies.drop(html), search_page=path.name == "search.html")
        html = names.as_written(images.give_sizes(html, path))
        pages[path] = head.complete(html, static="../" * depth + "_static")
    progress.add(pages, site)  # before the style sheet, which keeps what pages and scripts name
    stylesheet.merge(pages, site / "_static")
    icons.subset(site / "_static")
    search.tidy(site / "_static")
    front.add(pages, site)
    for path, html in pages.items():
        path.write_text(policy.with_policy(html), encoding="utf-8")
    front.drop_unused(site)

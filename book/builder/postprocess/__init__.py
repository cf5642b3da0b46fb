"""Makes the built pages light and strict: the order matters, the security policy comes last.

Pages are changed as text, tag by tag, so that everything a chapter wrote (its figures, its
explorers) stays as it is, byte for byte, but for further copies of the same style or script.
"""

from __future__ import annotations

from pathlib import Path

from .. import address, release
from ..paths import ROOT
from . import (
    copies,
    feed,
    formulas,
    front,
    head,
    icons,
    images,
    listing,
    missing,
    names,
    offline,
    plain,
    policy,
    progress,
    scripts,
    search,
    sharing,
    stylesheet,
    theme,
)


def run(site: Path) -> None:
    """Rewrite a site in place. Once: it expects the pages as Sphinx wrote them."""
    front.drop_leftovers(site)
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(site.rglob("*.html"))}
    for path, html in pages.items():
        depth = len(path.relative_to(site).parts) - 1
        html = scripts.lighten(copies.drop(html), search_page=path.name == "search.html")
        html = names.mend(images.give_sizes(html, path))
        pages[path] = head.complete(html, static="../" * depth + "_static")
    scripts.drop_unused(site / "_static")
    progress.add(pages, site)  # before the style sheet, which keeps what pages and scripts name
    stylesheet.merge(pages, site / "_static")
    icons.subset(site / "_static")
    formulas.subset(pages.values(), site / "_static")
    search.tidy(site / "_static")
    theme.tidy(site / "_static")
    front.add(pages, site)
    _tell(site, pages)
    for path, html in pages.items():
        path.write_text(policy.with_policy(html), encoding="utf-8")
    front.drop_unused(site)
    offline.add(site)


def _tell(site: Path, pages: dict[Path, str]) -> None:
    """What other programs ask a site for: cards, a map, a feed, plain text, a page for errors."""
    where = address.published()
    named = {path.relative_to(site).as_posix(): path for path in pages}
    sharing.draw_card(site / sharing.CARD)
    for name, path in named.items():
        pages[path] = sharing.describe(pages[path], name, where)
    readable = {name: pages[named[name]] for name in listing.listed(named)}
    listing.write(site, named, where)
    (site / "llms.txt").write_text(plain.index(readable, where), encoding="utf-8")
    (site / "llms-full.txt").write_text(plain.whole(readable, where), encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (site / "changes.xml").write_text(feed.atom(changelog, where, release.date()), encoding="utf-8")
    pages[site / "404.html"] = missing.page(address.path())

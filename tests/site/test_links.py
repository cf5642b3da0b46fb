"""Every link within the site leads to a page, and every anchor to a place on it."""

from __future__ import annotations

import posixpath
from functools import cache
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup
from builder import address as addresses
from conftest import HTML, pages
from playwright.sync_api import Page, expect

BASE = addresses.path()


@cache
def _read(path: str) -> BeautifulSoup:
    return BeautifulSoup((HTML / path).read_text(encoding="utf-8"), "lxml")


@cache
def _anchors(path: str) -> frozenset[str]:
    page = _read(path)
    explorers = page.select(".rl-explorer[data-name]")
    return frozenset(tag["id"] for tag in page.find_all(id=True)) | {
        f"explorer={tag['data-name']}" for tag in explorers
    }


def test_links_and_anchors_resolve(page_path: str) -> None:
    broken = []
    for tag in _read(page_path).find_all(["a", "link"], href=True):
        parts = urlsplit(tag["href"])
        if parts.scheme or parts.netloc:
            continue
        target = page_path
        if parts.path.startswith(BASE):  # the page for wrong addresses, which has no folder
            target = unquote(parts.path).removeprefix(BASE) or "index.html"
        elif parts.path:
            folder = posixpath.dirname(page_path)
            target = posixpath.normpath(posixpath.join(folder, unquote(parts.path)))
        if not (HTML / target).is_file() or (
            parts.fragment
            and target.endswith(".html")
            and unquote(parts.fragment) not in _anchors(target)
        ):
            broken.append(tag["href"])
    assert not broken


def test_a_link_to_a_place_far_down_leads_there(page: Page, address: str) -> None:
    long = [path for path in pages() if path.startswith("chapters/")]
    for path in long:
        page.goto(f"{address}{path}")
        last = page.locator("#pst-page-toc-nav a").last
        heading = page.locator(last.get_attribute("href")).locator("h2, h3").first
        last.click()
        page.wait_for_timeout(500)
        expect(heading).to_be_in_viewport()


def test_ids_are_unique(page_path: str) -> None:
    ids = [tag["id"] for tag in _read(page_path).find_all(id=True)]
    assert sorted(ids) == sorted(set(ids))


def test_chapters_offer_colab_and_download(page_path: str) -> None:
    if not page_path.startswith("chapters/"):
        return
    links = [tag["href"] for tag in _read(page_path).find_all("a", href=True)]
    name = posixpath.splitext(page_path)[0] + ".ipynb"
    colab = [link for link in links if link.startswith("https://colab.research.google.com/github/")]
    assert [link for link in colab if link.endswith(name)]
    assert [link for link in links if link.endswith(f"_sources/{name}")]

"""Read without a network, never stale; from a folder on the disk; and what machines read."""

from __future__ import annotations

import re
import shutil
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from builder import address as addresses
from builder import hosting
from builder.postprocess import feed, listing, missing, offline, plain
from conftest import HTML, pages
from PIL import Image
from playwright.sync_api import BrowserContext, Error, Page, expect

CHAPTER = "chapters/02_degradation.html"


class Host:
    """A small site that can be built anew, and switched off."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "course"  # not at the host's root: a project's pages aren't either
        shutil.copytree(HTML / "_static", self.folder / "_static")
        for name in ("index.html", CHAPTER, "book/using.html", "404.html"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(HTML / name, self.folder / name)
        self.build("first edition")
        self.server: ThreadingHTTPServer = hosting.server(folder)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/course/"

    def build(self, edition: str) -> None:
        for path in (self.folder / "index.html", self.folder / CHAPTER):
            html = re.sub(r"<title>.*?</title>", f"<title>{edition}</title>", path.read_text())
            path.write_text(html)
        offline.add(self.folder)

    def off(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.off()


def until(page: Page, promise: str, argument: str | None = None) -> None:
    """Ask until it is so. (The page's policy forbids what Playwright's own waiting does.)"""
    for _ in range(100):
        if page.evaluate(promise, argument):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never true: {promise}")


def visit(page: Page, url: str) -> None:
    """Open a page, and wait until its worker has kept it."""
    page.goto(url, wait_until="load")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    until(page, "(url) => caches.match(url).then(Boolean)", url)


def test_an_update_is_shown_at_once(page: Page, host: Host) -> None:
    visit(page, host.address + CHAPTER)
    visit(page, host.address + CHAPTER)  # now through the worker
    expect(page).to_have_title("first edition")
    host.build("second edition")
    page.goto(host.address + CHAPTER)
    expect(page).to_have_title("second edition")


def test_pages_that_were_visited_are_there_without_a_network(page: Page, host: Host) -> None:
    visit(page, host.address + CHAPTER)
    for sheet in page.locator('link[rel="stylesheet"]').all():
        until(
            page,
            "(url) => caches.match(url).then(Boolean)",
            sheet.evaluate("(link) => link.href"),
        )
    page.context.set_offline(True)
    page.goto(host.address + CHAPTER + "?state=of-an-explorer")
    expect(page).to_have_title("first edition")
    assert page.evaluate("document.styleSheets.length") > 0
    with pytest.raises(Error, match="ERR_"):
        page.goto(host.address + "book/using.html")


def test_another_build_throws_the_old_one_away(page: Page, host: Host) -> None:
    visit(page, host.address + CHAPTER)
    (before,) = page.evaluate("caches.keys()")
    host.build("second edition")
    page.goto(host.address + CHAPTER)
    page.evaluate("navigator.serviceWorker.getRegistration().then((found) => found.update())")
    until(
        page,
        "(old) => caches.keys().then((names) => names.length === 1 && names[0] !== old)",
        before,
    )
    # What was visited before the update is there after it, in its new form.
    page.context.set_offline(True)
    page.goto(host.address + CHAPTER)
    expect(page).to_have_title("second edition")


def test_a_wrong_address_is_answered_with_the_page_for_it(page: Page, host: Host) -> None:
    visit(page, host.address + CHAPTER)
    for path in ("gone.html", "chapters/gone/deeper.html"):
        answer = page.goto(host.address + path)
        assert answer is not None
        assert answer.status == 404
    missing_page = hosting.server(HTML)
    threading.Thread(target=missing_page.serve_forever, daemon=True).start()
    page.goto(f"http://127.0.0.1:{missing_page.server_port}/chapters/gone/deeper.html")
    expect(page.get_by_role("heading", name="This page is not here")).to_be_visible()
    page.get_by_role("link", name="Glossary").click()
    expect(page.locator("article h1")).to_contain_text("Glossary")
    missing_page.shutdown()


def test_the_version_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("one")
    first = offline.version_of(tmp_path)
    offline.add(tmp_path)
    assert offline.version_of(tmp_path) == first
    assert first in (tmp_path / "sw.js").read_text()
    (tmp_path / "a.html").write_text("two")
    assert offline.version_of(tmp_path) != first
    assert len((tmp_path / "sw.js").read_bytes()) < 3000


def test_a_folder_on_the_disk_answers_too(context: BrowserContext) -> None:
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((HTML / CHAPTER).as_uri())
    explorer = page.locator(".rl-explorer").first
    explorer.scroll_into_view_if_needed()
    before = explorer.locator(".rl-says").text_content()
    explorer.locator("input[type=range]").first.focus()
    page.keyboard.press("End")
    expect(explorer.locator(".rl-says")).not_to_have_text(before or "")
    assert errors == []


def test_search_finds_on_the_disk(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto((HTML / "search.html").as_uri() + "?q=degradation")
    expect(page.locator("#search-results li").first).to_be_visible()


def test_the_map_lists_every_page_once_and_robots_name_it() -> None:
    root = ET.parse(HTML / "sitemap.xml").getroot()
    found = [loc.text for loc in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    where = addresses.published()
    names = [("" if name == "index.html" else name) for name in listing.listed(pages())]
    assert sorted(found) == sorted(where + name for name in names)
    assert f"Sitemap: {where}sitemap.xml" in (HTML / "robots.txt").read_text()


def test_pages_describe_themselves_to_other_sites(page_path: str) -> None:
    if page_path == "404.html":
        return
    head = BeautifulSoup((HTML / page_path).read_text(encoding="utf-8"), "lxml").head
    assert head is not None
    says = {tag["property"]: tag["content"] for tag in head.select('meta[property^="og:"]')}
    assert len(says["og:title"]) > 3
    assert len(says["og:description"]) > 20
    assert says["og:image"] == addresses.published() + "_static/card.png"
    (canonical,) = head.select('link[rel="canonical"]')
    assert canonical["href"] == says["og:url"]


def test_the_card_has_the_size_that_is_asked_for() -> None:
    assert Image.open(HTML / "_static" / "card.png").size == (1200, 630)


def test_the_feed_has_an_entry_a_version() -> None:
    text = "# Changelog\n\n## 0.2.0 (unreleased)\n\n- *b* & c\n\n## 0.1.0 (2026-01-02)\n\n- a\n"
    atom = ET.fromstring(feed.atom(text, "https://x.github.io/y/", "2026-03-04"))
    names = {"a": "http://www.w3.org/2005/Atom"}
    assert [e.text for e in atom.findall("a:entry/a:updated", names)] == [
        "2026-03-04T00:00:00Z",
        "2026-01-02T00:00:00Z",
    ]
    content = atom.find("a:entry/a:content", names)
    assert content is not None
    assert "<em>b</em> &amp; c" in (content.text or "")
    with pytest.raises(ValueError, match="no heading"):
        feed.atom("# Changelog\n", "https://x.github.io/y/", "2026-03-04")


def test_plain_text_keeps_formulas_code_lists_and_tables() -> None:
    html = """<article><h2>Idea<a class="headerlink" href="#i">#</a></h2>
    <p>Let <span class="katex"><math><annotation>y = x</annotation></math><i>yx</i></span> be.</p>
    <ul><li><p>one</p></li></ul><pre>a\n  b</pre>
    <table><tr><th>k</th><th>v</th></tr></table><img alt="a curve that falls"></article>"""
    assert plain.text(html).split("\n\n") == [
        "## Idea",
        "Let $y = x$ be.",
        "- one",
        "```\na\n  b\n```",
        "k | v",
    ]


def test_the_course_is_there_as_text() -> None:
    whole = (HTML / "llms-full.txt").read_text(encoding="utf-8")
    assert whole.count("## Takeaways") == len(list((HTML / "chapters").glob("[0-9]*.html")))
    assert "<span" not in whole
    index = (HTML / "llms.txt").read_text(encoding="utf-8")
    assert all(f"({addresses.published()}{name})" in index for name in listing.listed(pages()))


def test_the_page_for_wrong_addresses_needs_no_other_file() -> None:
    html = missing.page("/course/")
    assert not re.search(r"""(src|href)="(?!/course/|data:)[^"]+\"""", html)

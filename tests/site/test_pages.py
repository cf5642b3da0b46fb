"""Every page loads cleanly, asks no other host for anything, and fits its screen."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from conftest import HTML, NARROW, SCREENSHOTS, WIDE
from playwright.sync_api import Browser, Page

# Attributes by which a page makes the browser fetch something by itself.
FETCHED = {
    "script": ["src"],
    "img": ["src", "srcset"],
    "iframe": ["src"],
    "source": ["src", "srcset"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "embed": ["src"],
    "object": ["data"],
    "image": ["href", "xlink:href"],
    "use": ["href", "xlink:href"],
}
LINKED = {
    "stylesheet",
    "icon",
    "preload",
    "modulepreload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
}


@pytest.fixture(scope="module")
def soup(request: pytest.FixtureRequest):
    """Reads a page's HTML."""
    return lambda path: BeautifulSoup((HTML / path).read_text(encoding="utf-8"), "lxml")


def test_page_loads_without_error_and_without_another_host(
    page: Page, address: str, page_path: str
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"script: {error}"))
    page.on(
        "console",
        lambda message: errors.append(message.text) if message.type == "error" else None,
    )
    page.on("response", lambda got: errors.append(got.url) if got.status >= 400 else None)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    # Playwright lists requests that the security policy then blocks, too. Here that is wanted:
    # a page that only tries has something to mend.
    page.goto(address + page_path, wait_until="networkidle")
    elsewhere = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert not elsewhere
    assert not errors


def test_html_names_no_other_host_to_fetch_from(soup, page_path: str) -> None:
    html = soup(page_path)
    found = [
        tag[name]
        for element, names in FETCHED.items()
        for tag in html.find_all(element)
        for name in names
        if tag.has_attr(name)
    ]
    found += [tag["href"] for tag in html.find_all("link") if LINKED & set(tag.get("rel", []))]
    for style in [*html.find_all("style"), *html.find_all(style=True)]:
        found += re.findall(r"url\(([^)]*)\)", style.get("style") or style.get_text())
    assert [url for url in found if urlsplit(url.strip("'\" ")).netloc] == []


def test_folded_parts_are_called_what_is_written_on_them(soup, page_path: str) -> None:
    summaries = soup(page_path).find_all("summary")
    assert all(summary.get_text(strip=True) for summary in summaries)
    assert not [summary for summary in summaries if summary.has_attr("aria-label")]


def test_style_sheet_names_no_other_host_and_no_missing_file() -> None:
    sheets = list((HTML / "_static").rglob("course.css"))
    assert len(sheets) == 1
    urls = re.findall(r"""url\(["']?([^)"']*)""", sheets[0].read_text(encoding="utf-8"))
    local = [url for url in urls if not url.startswith(("data:", "#"))]
    assert local
    for url in local:
        assert not urlsplit(url).netloc, url
        assert (sheets[0].parent / urlsplit(url).path).is_file(), url


def test_policy_is_strict_and_its_hashes_are_those_of_the_scripts(soup, page_path: str) -> None:
    html = soup(page_path)
    policy = html.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'self'"
    assert "unsafe" not in rules["script-src"]
    assert "http" not in policy
    # From the text itself: a parser may change white space.
    text = (HTML / page_path).read_text(encoding="utf-8")
    inline = [
        body
        for attributes, body in re.findall(r"<script\b([^>]*)>(.*?)</script>", text, re.DOTALL)
        if "src=" not in attributes and "application/json" not in attributes
    ]
    needed = {
        f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'"
        for body in inline
    }
    assert needed == set(rules["script-src"].split()) - {"'self'"}
    handlers = [name for tag in html.find_all(True) for name in tag.attrs if name.startswith("on")]
    assert not handlers


def test_policy_blocks_a_planted_script(page: Page, address: str) -> None:
    page.goto(address)
    page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.planted = 1';"
        "document.body.append(s)"
    )
    assert page.evaluate("window.planted") is None


def test_head_says_what_the_page_is(soup, page_path: str) -> None:
    html = soup(page_path)
    assert html.title.get_text(strip=True)
    assert len(html.find_all("meta", attrs={"name": "description"})) == 1
    assert html.find("link", rel="icon")
    for image in html.find_all("img"):
        assert image.get("width"), image
        assert image.get("height"), image


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "390"])
def test_pages_fit_the_screen(browser: Browser, address: str, size: dict, scheme: str) -> None:
    from conftest import pages

    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    too_wide = {}
    for path in pages():
        page.goto(address + path)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > size["width"]:
            too_wide[path] = width
        name = path.removesuffix(".html").replace("/", "-")
        page.screenshot(path=SCREENSHOTS / f"{name}-{size['width']}-{scheme}.png", full_page=True)
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
    context.close()
    assert not too_wide


def test_mathematics_is_set_already(soup) -> None:
    html = soup("book/notation.html")
    assert len(html.select(".katex-html")) > 20
    assert len(html.select(".katex-mathml math")) == len(html.select(".katex-html"))
    assert not html.select(".katex-error")


def test_mathematics_has_its_fonts(page: Page, address: str) -> None:
    page.goto(address + "book/notation.html", wait_until="networkidle")
    loaded = page.evaluate(
        "document.fonts.ready.then(() => [...document.fonts]"
        ".filter(font => font.status == 'loaded').map(font => font.family))"
    )
    assert any("KaTeX_Math" in family for family in loaded)
    assert any("Font Awesome" in family for family in loaded)

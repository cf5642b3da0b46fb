"""What a first visit to a page costs, and all of it, compressed as a host sends it."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from builder import hosting
from conftest import HTML, LAY_OUT, pages
from playwright.sync_api import Browser

FIRST_KB, WHOLE_KB = 250, 1500
# Through the page, a screen at a time, so that whatever waits to be seen is loaded.
SCROLL = """async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
    scrollTo({ top: y, behavior: 'instant' });
    await new Promise(requestAnimationFrame);
  }
}"""


def test_pages_are_light(
    browser: Browser, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, whole = {}, {}
    for path in pages():
        context = browser.new_context()
        page = context.new_page()
        files: set[str] = set()
        page.on("request", lambda request, files=files: files.add(urlsplit(request.url).path))
        page.goto(address + path, wait_until="networkidle")
        first[path] = sum(map(_size, files)) / 1000
        page.add_style_tag(content=LAY_OUT)
        page.evaluate(SCROLL)
        page.wait_for_load_state("networkidle")
        whole[path] = sum(map(_size, files)) / 1000
        context.close()
    with capsys.disabled():
        print("\ncompressed, first view and whole:")
        for path in first:
            print(f"  {first[path]:5.0f} KB {whole[path]:5.0f} KB  {path}")
    assert {path: kb for path, kb in first.items() if kb > FIRST_KB} == {}
    assert {path: kb for path, kb in whole.items() if kb > WHOLE_KB} == {}


def _size(path: str) -> int:
    if path.startswith("image/"):  # data: addresses
        return 0
    file = HTML / unquote(path).lstrip("/")
    if path.endswith("/"):
        file /= "index.html"
    return hosting.weight(file) if file.is_file() else 0

"""What a first visit to a page costs, compressed as a host sends it."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from builder import hosting
from conftest import HTML, pages
from playwright.sync_api import Browser

LIMIT_KB = 250


def test_first_view_is_light(
    browser: Browser, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = {}
    for path in pages():
        context = browser.new_context()
        page = context.new_page()
        files: set[str] = set()
        page.on("request", lambda request, files=files: files.add(urlsplit(request.url).path))
        page.goto(address + path, wait_until="networkidle")
        weights[path] = sum(_size(file) for file in files if not file.startswith("image/")) / 1000
        context.close()
    with capsys.disabled():
        print("\nfirst view, compressed:")
        for path, weight in weights.items():
            print(f"  {weight:5.0f} KB  {path}")
    assert {path: kb for path, kb in weights.items() if kb > LIMIT_KB} == {}


def _size(path: str) -> int:
    file = HTML / unquote(path).lstrip("/")
    if path.endswith("/"):
        file /= "index.html"
    if not file.is_file():  # data: addresses
        return 0
    return hosting.weight(file)

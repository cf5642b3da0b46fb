"""Scripts planted where a page reads: they never run, and never become part of the page.

The content security policy is switched off here (test_pages.py looks at it): a page must be safe
by itself, and the policy comes on top.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import pages
from playwright.sync_api import Browser, Page

RUN = "window.__pwned = 1"
PLANT = f"\"'><img src=x onerror='{RUN}'><script>{RUN}</script><svg onload='{RUN}'>"
PLACES = [
    f"?q={quote(PLANT)}&highlight={quote(PLANT)}",
    f"#{PLANT}",
    f"#explorer={PLANT}",
    f"#explorer={quote(PLANT)}",
    f"#javascript:{RUN}",
]
# Kinds of things that the course keeps, and what a saved file calls them.
KINDS = {
    "prediction": "predictions",
    "quiz": "quizzes",
    "exercise": "exercises",
    "read": "read",
}
LISTEN = """window.asked = [];
const get = Storage.prototype.getItem;
Storage.prototype.getItem = function (key) { window.asked.push(key); return get.call(this, key); };
"""
# In the forms in which something may be kept: as text, and within what is valid JSON.
FORMS = [
    PLANT,
    json.dumps(PLANT),
    json.dumps([PLANT]),
    json.dumps({"answer": PLANT, "right": True}),
]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Page]:
    """A page without the policy, in which no script may fail."""
    context = browser.new_context(bypass_csp=True)
    context.add_init_script(LISTEN)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors


def _assert_harmless(page: Page, place: str) -> None:
    page.wait_for_timeout(100)  # a picture that can't be loaded says so a moment later
    assert page.evaluate("window.__pwned") is None, place
    planted = page.locator("img[src=x], [onerror], [onload], a[href^='javascript:']")
    assert planted.count() == 0, place


def _keys(page: Page) -> list[str]:
    """What the page has asked storage for, and keys of each kind that it may list."""
    named = [f"residual-course.{kind}.{each}" for kind in KINDS for each in ("planted", PLANT)]
    return sorted({*page.evaluate("window.asked"), *named, "residual-course.read.01"})


def test_planted_script_would_run_and_is_found(open_page: Page, address: str) -> None:
    """What the other tests look for is there to be found."""
    open_page.goto(address)
    open_page.evaluate("(text) => { document.querySelector('article').innerHTML += text; }", PLANT)
    with pytest.raises(AssertionError):
        _assert_harmless(open_page, "on purpose")


def test_nothing_runs_from_an_address(open_page: Page, address: str, page_path: str) -> None:
    for place in PLACES:
        open_page.goto("about:blank")  # a change of the hash alone would not load the page again
        open_page.goto(address + page_path + place)
        _assert_harmless(open_page, place)


def test_nothing_runs_from_storage(open_page: Page, address: str, page_path: str) -> None:
    open_page.goto(address + page_path, wait_until="networkidle")
    keys = _keys(open_page)
    for text in FORMS:
        open_page.evaluate(
            "([keys, text]) => keys.forEach((key) => {"
            " localStorage.setItem(key, text); sessionStorage.setItem(key, text); })",
            [keys, text],
        )
        open_page.goto(address + page_path)
        _assert_harmless(open_page, text)


def test_nothing_runs_from_a_file(open_page: Page, address: str, tmp_path: Path) -> None:
    reading = [path for path in pages() if 'type="file"' in _text(open_page, address + path)]
    assert reading
    for path in reading:
        open_page.goto(address + path, wait_until="networkidle")
        for number, content in enumerate(_files(_keys(open_page))):
            file = tmp_path / f"{number}.json"
            file.write_text(content, encoding="utf-8")
            open_page.locator("input[type=file]").set_input_files(file)
            open_page.wait_for_timeout(200)
            _assert_harmless(open_page, content)
        open_page.reload()
        _assert_harmless(open_page, "after reading files")


def _text(page: Page, url: str) -> str:
    return page.request.get(url).text()


def _files(keys: list[str]) -> list[str]:
    """Files of the course's format that hold a planted script for each key; and no such file."""
    made = [PLANT, json.dumps(PLANT)]
    for value in (PLANT, [PLANT], {"answer": PLANT, "right": True}):
        content: dict[str, object] = {"format": "residual-course", "version": 1, "name": PLANT}
        content["questions"] = {PLANT: {"question": PLANT, "id": PLANT}}
        for kind, section in KINDS.items():
            start = f"residual-course.{kind}."
            ids = [key.removeprefix(start) for key in keys if key.startswith(start)]
            content[section] = dict.fromkeys(ids, value)
        made.append(json.dumps(content))
    return made

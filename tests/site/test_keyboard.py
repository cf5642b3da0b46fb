"""A page by keyboard alone: everything is reached, seen, in order, left again, and answers."""

from __future__ import annotations

import pytest
from conftest import LAY_OUT, NARROW, WIDE, pages
from playwright.sync_api import Browser, Page, expect

CHAPTER = "chapters/02_degradation.html"
WALKED = [
    *("index.html", "book/claims.html", "book/playground.html", "book/progress.html"),
    *(path for path in pages() if path.startswith("chapters/")),
]

# Everything that the Tab key should reach: of radio buttons with one name, only one.
SET_OUT = """() => {
  const wanted = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
  const groups = new Set();
  window.stops = [...document.querySelectorAll(wanted)].filter((stop) => {
    if (!stop.checkVisibility({ visibilityProperty: true })) return false;
    if (stop.disabled || stop.tabIndex < 0 || stop.closest('[inert], fieldset:disabled'))
      return false;
    if (stop.type !== 'radio') return true;
    const group = [...document.querySelectorAll(`input[name="${stop.name}"]`)];
    const chosen = group.find((each) => each.checked) ?? group[0];
    return stop === chosen && !groups.has(stop.name) && groups.add(stop.name);
  });
  return window.stops.length;
}"""
# What has the focus: its place among the stops, and what is wrong with how it is shown.
LOOK = """() => {
  const stop = document.activeElement;
  if (stop === document.body || stop === document.documentElement) return null;
  const box = stop.getBoundingClientRect();
  const styles = [getComputedStyle(stop), getComputedStyle(stop, '::after')];
  const faults = [];
  if (box.bottom < 1 || box.top > innerHeight - 1) faults.push('out of view');
  const ring = ({ outlineStyle, outlineWidth, boxShadow }) =>
    (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || !['none', ''].includes(boxShadow);
  if (!styles.some(ring) || styles[0].opacity < 0.5) faults.push('no sign of focus');
  const middle = [box.left + box.width / 2, Math.max(box.top, 0) + 1];
  const top = document.elementFromPoint(...middle);
  const [first] = stop.getClientRects();
  const corner = document.elementFromPoint(first.left + 2, (first.top + first.bottom) / 2);
  const covered = (by) => by && !stop.contains(by) && !by.contains(stop);
  if (covered(top) && covered(corner)) faults.push('covered by ' + top.outerHTML.slice(0, 80));
  return {
    at: window.stops.indexOf(stop),
    what: stop.outerHTML.slice(0, 100),
    faults,
  };
}"""


def _walk(page: Page, key: str, steps: int) -> list[dict]:
    """What has the focus after each press, until it has left the page."""
    seen = []
    for _ in range(steps):
        page.keyboard.press(key)
        look = page.evaluate(LOOK)
        if look is None:
            break
        seen.append(look)
    return seen


@pytest.mark.parametrize("path", WALKED)
def test_tab_reaches_everything_in_order_and_leaves_again(
    page: Page, address: str, path: str
) -> None:
    page.goto(address + path, wait_until="networkidle")
    # Boxes become stops when they are laid out.
    page.add_style_tag(content=LAY_OUT)
    page.wait_for_timeout(100)
    count = page.evaluate(SET_OUT)
    assert count > 10
    forth = _walk(page, "Tab", count + 20)
    assert not [(look["what"], look["faults"]) for look in forth if look["faults"]]
    # The contents beside a chapter unfold a section's parts while its text has the focus.
    strange = [look["what"] for look in forth if look["at"] < 0 and "nav-link" not in look["what"]]
    assert not strange
    assert [look["at"] for look in forth if look["at"] >= 0] == list(range(count))
    # Past the first stop Chromium without a window begins again at the last.
    back = _walk(page, "Shift+Tab", len(forth))
    assert [look["at"] for look in back if look["at"] >= 0][:count] == list(range(count))[::-1]


def test_skip_link_leads_to_the_text(page: Page, address: str) -> None:
    page.goto(address + CHAPTER)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_folded_parts_open_and_close(page: Page, address: str) -> None:
    page.goto(address + CHAPTER)
    parts = page.locator("article details").all()
    assert len(parts) > 5
    for part in parts:
        before = part.evaluate("part => part.open")
        summary = part.locator("summary").first
        if not summary.is_visible():  # the answer to a question that nobody has tried yet
            continue
        for key, after in (("Enter", not before), ("Space", before)):
            summary.press(key)
            assert part.evaluate("part => part.open") == after


def test_menus_open_lead_on_and_close(page: Page, address: str) -> None:
    page.goto(address + CHAPTER)
    buttons = page.locator(".bd-header-article .dropdown-toggle").all()
    assert len(buttons) == 3
    for button in buttons:
        items = button.locator("xpath=../ul")
        expect(items).to_be_hidden()
        button.press("Enter")
        expect(items).to_be_visible()
        expect(button).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("Tab")
        expect(items.locator("a, button").first).to_be_focused()
        page.keyboard.press("Escape")
        expect(items).to_be_hidden()
        expect(button).to_be_focused()
        button.press("Enter")
        for _ in range(items.locator("a, button").count() + 1):
            page.keyboard.press("Tab")
        expect(items).to_be_hidden()
        expect(button).to_have_attribute("aria-expanded", "false")


def test_menu_hangs_in_the_window_and_closes_beside_it(page: Page, address: str) -> None:
    for size in (WIDE, NARROW):
        page.set_viewport_size(size)
        page.goto(address + CHAPTER)
        for button in page.locator(".bd-header-article .dropdown-toggle:visible").all():
            button.click()
            items = button.locator("xpath=../ul")
            box, above = items.bounding_box(), button.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= size["width"]
            assert abs(box["y"] - above["y"] - above["height"]) < 12
            if size == WIDE:
                assert abs(box["x"] + box["width"] - above["x"] - above["width"]) < 2
            page.mouse.click(size["width"] / 2, size["height"] - 5)
            expect(items).to_be_hidden()


def test_search_dialog_opens_and_gives_the_focus_back(page: Page, address: str) -> None:
    page.goto(address + CHAPTER)
    button = page.locator(".search-button__button:visible").first
    button.press("Enter")
    expect(page.locator("dialog[open] input[name=q]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(button).to_be_focused()


def test_colour_scheme_and_copy_buttons_answer(page: Page, address: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(address + CHAPTER)
    page.locator(".theme-switch-button:visible").first.press("Enter")
    assert page.evaluate("document.documentElement.dataset.mode") != "auto"
    cell = page.locator("div.highlight:has(button.copybtn):visible").first
    cell.locator("button.copybtn").press("Enter")
    # The clipboard is written after the key is handled; the button says when.
    expect(cell.locator("button.copybtn")).to_have_attribute("data-tooltip", "Copied!")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.split() == cell.locator("pre").inner_text().split()


def test_sidebars_of_a_phone_open_and_give_the_focus_back(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=NARROW)
    page = context.new_page()
    page.goto(address + CHAPTER)
    for name in ("primary", "secondary"):
        button = page.locator(f"button.{name}-toggle:visible").first
        button.press("Enter")
        dialog = page.locator(f"#pst-{name}-sidebar-modal")
        expect(dialog).to_be_visible()
        page.keyboard.press("Tab")
        assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(button).to_be_focused()
    context.close()


def test_what_scrolls_sideways_takes_the_focus(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=NARROW)
    page = context.new_page()
    found = 0
    for path in pages():
        page.goto(address + path)
        page.add_style_tag(content=LAY_OUT)
        page.wait_for_timeout(100)
        boxes = page.evaluate(
            "[...document.querySelectorAll('article *')]"
            ".filter((box) => box.checkVisibility() && box.clientWidth"
            " && box.scrollWidth > box.clientWidth"
            " && ['auto', 'scroll'].includes(getComputedStyle(box).overflowX))"
            ".map((box) => [box.tabIndex, box.outerHTML.slice(0, 100)])"
        )
        assert not [html for index, html in boxes if index < 0], path
        found += len(boxes)
    context.close()
    assert found > 10

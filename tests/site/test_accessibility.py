"""No fault that axe-core finds, on any page, light or dark, wide or narrow, all parts unfolded."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import LAY_OUT, NARROW, WIDE
from playwright.sync_api import Browser

# WCAG 2.2, levels A and AA: each version's tag stands for what it added.
RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
}
# Parts that are folded would not be looked at.
UNFOLD = "document.querySelectorAll('details').forEach((part) => { part.open = true; })"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "390"])
def test_axe_finds_nothing(
    browser: Browser, address: str, page_path: str, size: dict, scheme: str
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    page.goto(address + page_path)
    page.evaluate(UNFOLD)
    page.add_style_tag(content=LAY_OUT)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found = Axe().run(page, options=RULES).response["violations"]
    context.close()
    faults = [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]
    assert not faults, "\n".join(faults)

"""What screen readers are told, and no fault that axe-core finds on any page."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from conftest import HTML, LAY_OUT, NARROW, WIDE
from playwright.sync_api import Browser, Page

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


def test_formulas_are_there_for_screen_readers(page_path: str) -> None:
    html = BeautifulSoup((HTML / page_path).read_text(encoding="utf-8"), "lxml")
    for formula in html.select(".katex"):
        (spoken,) = formula.select(".katex-mathml math")
        assert spoken.select("mi, mn, mo, mtext"), formula
        for pair in spoken.select("msub, msup, mfrac, mover, munder"):
            assert len(pair.find_all(recursive=False)) == 2, pair
        assert spoken.select_one("annotation").get_text(strip=True)
        (seen,) = formula.select(".katex-html")
        assert seen["aria-hidden"] == "true"


def test_browser_tells_screen_readers_of_every_formula(page: Page, address: str) -> None:
    page.goto(address + "book/notation.html")
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    told = [node for node in tree if node.get("role", {}).get("value") in ("math", "MathMLMath")]
    formulas = page.locator("math").count()
    assert formulas > 20
    assert len([node for node in told if not node["ignored"]]) == formulas


def test_figures_say_their_finding(page_path: str) -> None:
    html = BeautifulSoup((HTML / page_path).read_text(encoding="utf-8"), "lxml")
    for figure in html.select("article img, article svg[role=img]"):
        said = figure.get("alt") or figure.get("aria-label") or ""
        if named := figure.get("aria-labelledby"):
            said = " ".join(html.find(id=each).get_text() for each in named.split())
        assert len(said.split()) >= 8, said
        assert said.rstrip().endswith("."), said
        assert not re.search(r"\.(png|svg|jpe?g|webp)\b|_static|/_images", said), said
    # A drawing that is neither named nor left out is read as its letters.
    drawings = html.select("article svg:not([role=img], [aria-hidden=true])")
    assert not [each for each in drawings if not each.find_parent(class_="katex-html")]

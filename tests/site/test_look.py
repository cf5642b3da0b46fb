"""The landing page, a chapter and the playground look as they did when somebody last looked.

The reference pictures are in `pictures/`. After a change of the look that is meant:

    python -m pytest tests/site/test_look.py --take-pictures

then look at each of them, and commit them. Text is set in a font that comes with the course, so
that a machine's own fonts make no difference; the rest (hinting, smoothing) the tolerance allows.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from conftest import NARROW, WIDE
from PIL import Image
from playwright.sync_api import Browser

PICTURES = Path(__file__).parent / "pictures"
PAGES = {
    "landing": "index.html",
    "chapter": "chapters/02_degradation.html",
    "playground": "book/playground.html",
}
VIEWS = {"wide-light": (WIDE, "light"), "narrow-dark": (NARROW, "dark")}
CELL = 10  # pixels of a square whose mean colour is compared
TOLERANCE = 24  # of 255: how far a square may be off before it counts
SHARE = 0.02  # of the squares may be off by more

ROOT = Path(__file__).resolve().parents[2]
SANS = ROOT / "book" / "_assets" / "katex" / "fonts" / "KaTeX_SansSerif-Regular.woff2"
STYLE = """
@font-face { font-family: still; src: url(data:font/woff2;base64,%s); }
:not(.katex *):not([class*="fa-"]) { font-family: still !important; }
*, *::before, *::after { caret-color: transparent !important; transition: none !important; }
"""


def picture(browser: Browser, address: str, path: str, view: str, css: str = "") -> Image.Image:
    """The first screen of a page."""
    size, scheme = VIEWS[view]
    # The policy of the pages would refuse the font.
    context = browser.new_context(
        viewport=size, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True
    )
    page = context.new_page()
    page.goto(address + path, wait_until="networkidle")
    page.add_style_tag(content=STYLE % base64.b64encode(SANS.read_bytes()).decode() + css)
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(300)
    found = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    context.close()
    return found


def squares(image: Image.Image) -> np.ndarray:
    small = image.resize((image.width // CELL, image.height // CELL), Image.Resampling.BOX)
    return np.asarray(small, dtype=float)


def off(one: Image.Image, other: Image.Image) -> float:
    """The share of squares whose colours differ by more than `TOLERANCE`."""
    if one.size != other.size:
        return 1.0
    return float((np.abs(squares(one) - squares(other)).max(2) > TOLERANCE).mean())


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", PAGES)
def test_looks_as_in_its_picture(
    browser: Browser, address: str, name: str, view: str, request: pytest.FixtureRequest
) -> None:
    now = picture(browser, address, PAGES[name], view)
    kept = PICTURES / f"{name}-{view}.png"
    if request.config.getoption("take_pictures"):
        PICTURES.mkdir(exist_ok=True)
        now.quantize(64, dither=Image.Dither.NONE).save(kept, optimize=True)
        return
    before = Image.open(kept).convert("RGB")
    share = off(now, before)
    assert share <= SHARE, f"{share:.1%} of {PAGES[name]} looks otherwise than in {kept.name}"


@pytest.mark.parametrize(
    "css",
    [
        ".rl-hero-figure { visibility: hidden }",
        ".bd-sidebar-primary { display: none !important }",
        "body { background: #ddd !important } .bd-main { background: inherit !important }",
        ".bd-article { font-size: 130% !important }",
    ],
    ids=["no figure", "no sidebar", "grey", "large"],
)
def test_a_page_that_looks_otherwise_is_noticed(browser: Browser, address: str, css: str) -> None:
    before = picture(browser, address, PAGES["landing"], "wide-light")
    assert off(picture(browser, address, PAGES["landing"], "wide-light", css), before) > SHARE


def test_smoothing_is_not_noticed(browser: Browser, address: str) -> None:
    before = picture(browser, address, PAGES["landing"], "wide-light")
    css = "body { -webkit-font-smoothing: antialiased; text-shadow: 0 0 0.4px }"
    assert off(picture(browser, address, PAGES["landing"], "wide-light", css), before) <= SHARE

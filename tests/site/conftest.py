"""The built site, served on this machine to a real Chromium."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import browsers
from builder import hosting

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
SCREENSHOTS = ROOT / "_build" / "screenshots"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
# A style under which what is out of view is laid out as if it were in view, and nothing moves.
LAY_OUT = """* {
  content-visibility: visible !important; transition: none !important; animation: none !important;
}"""


def pages() -> list[str]:
    """Every page of the site, as its path under the root."""
    return sorted(path.relative_to(HTML).as_posix() for path in HTML.rglob("*.html"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--take-pictures", action="store_true", help="take the pictures of test_look.py anew"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page_path" in metafunc.fixturenames:
        metafunc.parametrize("page_path", pages())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if items and not (HTML / "index.html").exists():
        pytest.exit("there is no site in _build/html: run `make book` first", returncode=1)


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where the site is served; ends with '/'."""
    server = hosting.server(HTML)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            path = browsers.chromium(playwright)
        except RuntimeError as error:
            pytest.exit(str(error), returncode=1)
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--disable-quic", "--no-first-run", "--disable-background-networking"],
            # Chromium's own sandbox needs rights that containers and root don't have.
            chromium_sandbox=False,
        )
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=WIDE)
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()

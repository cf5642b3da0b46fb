"""The built site, served on this machine to a real Chromium."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
SCREENSHOTS = ROOT / "_build" / "screenshots"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def pages() -> list[str]:
    """Every page of the site, as its path under the root."""
    return sorted(path.relative_to(HTML).as_posix() for path in HTML.rglob("*.html"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page_path" in metafunc.fixturenames:
        metafunc.parametrize("page_path", pages())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if items and not (HTML / "index.html").exists():
        pytest.exit("there is no site in _build/html: run `make book` first", returncode=1)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where the site is served; ends with '/'."""
    handler = functools.partial(_Quiet, directory=str(HTML))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_chromium(playwright),
            args=["--disable-quic", "--no-first-run", "--disable-background-networking"],
            # Chromium's own sandbox needs rights that containers and root don't have.
            chromium_sandbox=False,
        )
        yield browser
        browser.close()


def _chromium(playwright: Playwright) -> str:
    """Playwright's own, else the system's, else Playwright installs its own."""
    own = playwright.chromium.executable_path
    if os.path.exists(own):
        return own
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    for name in names:
        if found := shutil.which(name):
            return found
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    if subprocess.run(command, check=False).returncode == 0 and os.path.exists(own):
        return own
    pytest.exit(
        "the site tests need Chromium, and `playwright install chromium` failed: install the "
        f"package 'chromium' of your system, or any of {', '.join(names)}, on PATH",
        returncode=1,
    )


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=WIDE)
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()

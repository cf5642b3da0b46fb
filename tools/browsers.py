"""Where the browsers are that look at the site."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from playwright.sync_api import Playwright

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FIREFOX = ("firefox", "firefox-esr")


def chromium(playwright: Playwright) -> str:
    """Playwright's own, else the system's, else Playwright installs its own.

    Raises RuntimeError where that fails.
    """
    own = playwright.chromium.executable_path
    if os.path.exists(own):
        return own
    if found := _on_path(_CHROMIUM):
        return found
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    if subprocess.run(command, check=False).returncode == 0 and os.path.exists(own):
        return own
    raise RuntimeError(
        "this needs Chromium, and `playwright install chromium` failed: install the package "
        f"'chromium' of your system, or any of {', '.join(_CHROMIUM)}, on PATH"
    )


def firefox() -> str | None:
    """The system's; None where there is none. Playwright's own is not the one that readers have."""
    return _on_path(_FIREFOX)


def _on_path(names: tuple[str, ...]) -> str | None:
    return next((found for name in names if (found := shutil.which(name))), None)

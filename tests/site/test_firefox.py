"""Every page loads in Firefox without an error, and every explorer answers there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import browsers
import npm
import pytest
from conftest import pages

SCRIPT = Path(__file__).with_name("firefox.mjs")


@pytest.fixture(scope="module")
def visits(address: str) -> dict[str, dict]:
    """What happened on each page: its errors, and for each explorer whether it answered."""
    firefox = browsers.firefox()
    if firefox is None:
        pytest.skip("no Firefox on PATH: install your system's package to test with it, too")
    try:
        library = npm.bring("puppeteer-core")
    except RuntimeError as error:
        pytest.skip(f"nothing to drive Firefox with: {error}")
    about = json.loads((library / "package.json").read_text(encoding="utf-8"))
    entry = library / about["exports"]["."]["import"]
    command = [npm.NODE, SCRIPT, entry, firefox, address, *pages()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["version"].startswith("firefox/")
    return answer["visits"]


def test_page_loads_without_error(visits: dict[str, dict], page_path: str) -> None:
    errors = visits[page_path]["errors"]
    # Firefox lays out a page that still arrives, and then complains of a formula that is cut in its
    # middle. Whether formulas are whole, test_accessibility sees.
    assert [error for error in errors if "Incorrect number of children" not in error] == []


def test_every_explorer_answers(visits: dict[str, dict]) -> None:
    answers = {path: visit["answers"] for path, visit in visits.items() if visit["answers"]}
    assert "index.html" in answers
    assert all(all(each) for each in answers.values()), answers

"""Lighthouse on the built site, as a phone sees it: python tools/audit.py [--runs 3] [PAGE ...]

Each page is loaded several times from a host on this machine that compresses, and the median of
each mark counts. Prints a table, writes _build/audit.json, and fails where a page is below LEAST.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from statistics import median_low
from typing import Any

import npm
from browsers import chromium
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book"))

from builder import hosting
from builder.paths import BUILD, HTML

LEAST = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}
TOLD = {
    "largest-contentful-paint": "largest paint",
    "total-blocking-time": "blocked",
    "cumulative-layout-shift": "shift",
}
PAGES = [
    "index.html",
    "chapters/02_degradation.html",
    "chapters/06_why_it_works.html",
    "book/playground.html",
    "book/claims.html",
]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/audit.py", description=__doc__.split(":")[0])
    parser.add_argument("pages", nargs="*", default=PAGES, help="paths under _build/html")
    parser.add_argument("--runs", type=int, default=3, help="loads of each page (default: 3)")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error(f"--runs is {options.runs}; at least one load is needed")
    if not (HTML / "index.html").exists():
        parser.error("there is no site in _build/html: run `make book` first")
    pages = [page for page in options.pages if _is_there(page)]
    try:
        marks = audit(pages, options.runs)
    except RuntimeError as error:
        print(f"make audit stopped: {error}", file=sys.stderr)
        return 1
    (BUILD / "audit.json").write_text(json.dumps(marks, indent=2) + "\n", encoding="utf-8")
    print(table(marks))
    for line in (low := below(marks)):
        print(line, file=sys.stderr)
    return 1 if low else 0


def _is_there(page: str) -> bool:
    there = (HTML / page).is_file()
    if not there:
        print(f"left out: {page} isn't in {HTML}", flush=True)
    return there


def audit(pages: list[str], runs: int) -> dict[str, dict[str, int]]:
    """Marks out of 100 for each page: the median of the runs.

    Raises RuntimeError where a browser or Lighthouse is missing or fails.
    """
    command = [npm.NODE, npm.bring("lighthouse") / "cli" / "index.js"]
    with sync_playwright() as playwright:
        environment = os.environ | {"CHROME_PATH": chromium(playwright)}
    server = hosting.server(HTML)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    marks = {}
    for number, page in enumerate(pages, start=1):
        seen = []
        for run in range(1, runs + 1):
            print(f"[{number}/{len(pages)}] {page}: load {run} of {runs}", flush=True)
            address = f"http://127.0.0.1:{server.server_port}/{page}"
            seen.append(_load([*command, address], environment))
        marks[page] = {name: median_low(each[name] for each in seen) for name in LEAST}
    server.shutdown()
    return marks


def _load(command: list[str | Path], environment: dict[str, str]) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            *command,
            f"--only-categories={','.join(LEAST)}",
            "--output=json",
            f"--output-path={report}",
            "--quiet",
            # Chromium's own sandbox needs rights that containers and root don't have.
            "--chrome-flags=--headless=new --no-sandbox",
        ]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode != 0 or not report.exists():
            raise RuntimeError(f"Lighthouse failed:\n{done.stderr.strip()}")
        answer = json.loads(report.read_text(encoding="utf-8"))
    # An audit that couldn't be made leaves its category without a mark.
    marks = {name: round(100 * (answer["categories"][name]["score"] or 0)) for name in LEAST}
    print(f"      {_told(answer, marks)}", flush=True)
    return marks


def _told(answer: dict[str, Any], marks: dict[str, int]) -> str:
    """What a load took, and which audits of a category below 100 failed."""
    audits = answer["audits"]
    parts = [f"{told} {audits[name].get('displayValue', 'unknown')}" for name, told in TOLD.items()]
    for name in marks:
        if name == "performance" or marks[name] == 100:
            continue
        asked = {each["id"] for each in answer["categories"][name]["auditRefs"] if each["weight"]}
        parts += [audits[each]["title"] for each in asked if audits[each]["score"] == 0]
    return ", ".join(parts)


def table(marks: dict[str, dict[str, int]]) -> str:
    """One line a page."""
    width = max(map(len, marks), default=4)
    lines = [f"{'page':{width}}  " + "  ".join(LEAST)]
    for page, each in marks.items():
        lines.append(f"{page:{width}}  " + "  ".join(f"{each[n]:{len(n)}}" for n in LEAST))
    return "\n".join(lines)


def below(marks: dict[str, dict[str, int]]) -> list[str]:
    """A sentence for each mark that is too low."""
    return [
        f"{page}: {name} {each[name]}, at least {least} is wanted"
        for page, each in marks.items()
        for name, least in LEAST.items()
        if each[name] < least
    ]


if __name__ == "__main__":
    sys.exit(main())

"""Print the built site into one PDF, and link it on the first page.

python book/pdf.py          # after `make book`; needs Chromium, as the site's tests do
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path

import yaml
from builder import address, hosting, printed
from builder.downloads import reveal
from builder.paths import HTML, ROOT
from builder.steps import duration, say
from playwright.sync_api import sync_playwright

from residual_lib import __version__

sys.path.insert(0, str(ROOT / "tools"))
import browsers

NAME = "residual-connections.pdf"
_COMBINED = "whole-course.html"  # is there only while it is printed
_FOOT = (
    '<div style="width: 100%; font: 8px sans-serif; color: #555; text-align: center">'
    '<span class="pageNumber"></span></div>'
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="book/pdf.py", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help=f"another place than _build/html/{NAME}")
    given = parser.parse_args(arguments).out
    out = given or HTML / NAME
    if not (HTML / "index.html").exists():
        print("make pdf stopped: there is no site in _build/html: run `make book` first")
        return 1
    if not given and out.exists():  # a new build begins with an empty folder
        say(f"Nothing has changed since the last print: {out}")
        return 0
    say(f"Print: the whole course into {out.name} (about 30 s)")
    start = time.perf_counter()
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    combined = HTML / _COMBINED
    where = address.published()
    text = printed.page(HTML, title=config["title"], address=where, version=__version__)
    combined.write_text(text, encoding="utf-8")
    try:
        _print(combined.name, out)
    except RuntimeError as error:
        print(f"make pdf stopped: {error}", file=sys.stderr)
        return 1
    finally:
        combined.unlink()
    if not given:
        reveal("pdf")
    size = out.stat().st_size / 1e6
    say(f"The course is in {out} ({size:.1f} MB, {duration(time.perf_counter() - start)})")
    return 0


def _print(path: str, out: Path) -> None:
    server = hosting.server(HTML)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browsers.chromium(playwright), chromium_sandbox=False
        )
        page = browser.new_page()
        page.emulate_media(media="print", color_scheme="light")
        # Not "networkidle": on a busy machine that comes before the page's end does, and what had
        # been laid out so far was printed, 54 pages of 196.
        page.goto(f"http://127.0.0.1:{server.server_port}/{path}", wait_until="load")
        page.evaluate("document.fonts.ready.then(() => document.body.scrollHeight)")
        page.pdf(
            path=str(out),
            prefer_css_page_size=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=_FOOT,
            print_background=True,
            outline=True,
            tagged=True,
        )
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main())

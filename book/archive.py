"""Pack the built site into one file to download, and link it on the first page.

python book/archive.py      # after `make pdf`, which it contains
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from builder.downloads import reveal
from builder.paths import HTML
from builder.steps import say

NAME = "residual-connections.zip"


def main() -> int:
    if not (HTML / "index.html").exists():
        print("make zip stopped: there is no site in _build/html: run `make book` first")
        return 1
    out = HTML / NAME
    if out.exists():  # a new build begins with an empty folder
        say(f"Nothing has changed since it was packed: {out}")
        return 0
    unfinished = out.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(HTML.rglob("*")):
            if path.is_file() and path != unfinished:
                archive.write(path, Path("residual-connections") / path.relative_to(HTML))
    unfinished.rename(out)
    reveal("zip")  # afterwards: the archive doesn't contain itself
    say(f"The site is packed in {out} ({out.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

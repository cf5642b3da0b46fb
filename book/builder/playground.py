"""The playground's files for the site: one script and the digits.

    python -m builder.playground FOLDER

A process of its own: the digits come from the library, which brings PyTorch.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import minify

from .paths import ROOT

SOURCE = ROOT / "book" / "playground"
ENTRY = SOURCE / "view" / "main.js"

_NAMES = r"\s*\w+(?:,\s*\w+)*,?\s*"  # without "as", which would need a name of its own
_IMPORT = re.compile(rf"^import \{{{_NAMES}\}} from '(?P<source>[^']+)';\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:const|function|class) )", re.MULTILINE)
_PATTERN = re.compile(r"\bconst (?=[\[{])")
_LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def write(folder: Path) -> None:
    """Write `playground.js` and `digits.bin` into a folder of the built site.

    After Sphinx has run, because Jupyter Book links every script that it finds on every page.
    """
    from .digits import packed

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "playground.js").write_text(minified(bundle()), encoding="utf-8")
    (folder / "digits.bin").write_bytes(packed())


def modules(entry: Path = ENTRY) -> dict[Path, str]:
    """Every module's text without imports and exports, each after those that it imports.

    Raises:
        ValueError: a module imports or exports in a way that this doesn't know.
    """
    texts: dict[Path, str] = {}

    def add(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        for found in _IMPORT.finditer(text):
            if (source := (path.parent / found["source"]).resolve()) not in texts:
                add(source)
        text = _EXPORT.sub("", _IMPORT.sub("", text))
        if left := _LEFT.search(text):
            raise ValueError(f"{path.name}: the bundle can't take in {left[0]!r}")
        texts[path] = text

    add(entry.resolve())
    return texts


def bundle() -> str:
    """All modules as one classic script, which pages opened as files can run and modules can't.

    They share one scope, so no two may have the same name at their top level (`minified` says
    so), nor one that the browser has (a test of the site says so).
    """
    return "\n".join(['(() => {\n"use strict";', *modules().values(), "})();"])


def minified(script: str) -> str:
    """A script without what only its authors need, and with short names.

    minify-go (2.24) joins neighbouring declarations and puts patterns first: in
    `const a = 1; const [b] = f((x) => a)` it would read `a` too early, which stops the script.
    It doesn't join `const` with `let`. tests/playground runs the modules' tests on its output.
    """
    return minify.string("application/javascript", _PATTERN.sub("let ", script))


if __name__ == "__main__":
    write(Path(sys.argv[1]))

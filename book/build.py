"""Build the site into _build/html: measure what is missing, make the pages, make them light.

python book/build.py            # does nothing where nothing has changed
python book/build.py --fresh    # build anew, with what is in the store of trials
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from builder import book, fingerprint, postprocess
from builder.errors import BuildError
from builder.paths import BUILD, GENERATED, HTML, ROOT
from builder.quiz import exports
from builder.steps import Steps, duration, say

MARK = BUILD / "fingerprint"
DRAFT = BUILD / "draft"  # what isn't finished is never in _build/html


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="book/build.py", description=__doc__.split("\n")[0])
    parser.add_argument("--fresh", action="store_true", help="build even if nothing has changed")
    fresh = parser.parse_args(arguments).fresh

    start = time.perf_counter()
    state = fingerprint.of_site(ROOT)
    if not fresh and (HTML / "index.html").exists() and MARK.exists() and MARK.read_text() == state:
        say(f"Nothing has changed since the last build: {HTML / 'index.html'}")
        return 0
    try:
        _run_steps()
    except BuildError as error:
        print(f"\nmake book stopped: {error}", file=sys.stderr)
        return 1
    MARK.write_text(state)
    say(f"The site is in {HTML} ({duration(time.perf_counter() - start)})")
    return 0


def _run_steps() -> None:
    todo: dict[str, Callable[[], None]] = {
        "Measure: every trial that isn't in the store yet": _fill_store,
        "Generate: claims ledger, data cards, landing explorer": _generate,
        "Pages: execute notebooks, set mathematics, write HTML": _build_pages,
        "Playground: one script, and the digits": _add_playground,
        "Questions: files for Anki, Moodle and Canvas": lambda: exports.write(DRAFT / "questions"),
        "Finish: one style sheet, light scripts, security policy": lambda: postprocess.run(DRAFT),
        "Publish into _build/html": _publish,
    }
    steps = Steps(list(todo), BUILD / "timings.json")
    for name, do in todo.items():
        with steps(name):
            do()


def _fill_store() -> None:
    _python("-m", "residual_lib", "run", cwd=ROOT)


def _generate() -> None:
    _python("-m", "builder.pages", str(GENERATED), cwd=Path(__file__).parent)


def _python(*command: str, cwd: Path) -> None:
    if subprocess.run([sys.executable, *command], cwd=cwd, check=False).returncode != 0:
        raise BuildError(f"`python {' '.join(command)}` failed; its message is above")


def _build_pages() -> None:
    shutil.rmtree(DRAFT, ignore_errors=True)
    book.build(ROOT, DRAFT, doctrees=BUILD / "doctrees", log=BUILD / "sphinx.log")


def _add_playground() -> None:
    folder = DRAFT / "_static" / "playground"
    _python("-m", "builder.playground", str(folder), cwd=Path(__file__).parent)


def _publish() -> None:
    shutil.rmtree(HTML, ignore_errors=True)
    DRAFT.rename(HTML)


if __name__ == "__main__":
    sys.exit(main())

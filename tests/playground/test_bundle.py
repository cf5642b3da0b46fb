"""The playground as the site has it: one small script, which does what the modules do."""

from __future__ import annotations

import re
import shutil

import pytest
from builder import playground
from conftest import HERE, PLAYGROUND

LIMIT = 30_000  # bytes


def test_script_is_small(capsys):
    size = len(playground.minified(playground.bundle()).encode())
    with capsys.disabled():
        print(f"\nplayground.js, minified: {size} bytes of {LIMIT}")
    assert size <= LIMIT


def test_bundle_has_every_module_and_no_import():
    assert set(PLAYGROUND.rglob("*.js")) == set(playground.modules())
    assert not re.search(r"^(import|export)\b", playground.bundle(), re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    [
        "import { a as b } from './other.js';",
        "import * as all from './other.js';",
        "export default 1;",
        "export { a };",
    ],
)
def test_bundle_refuses_what_it_does_not_know(tmp_path, line):
    (tmp_path / "other.js").write_text("export const a = 1;\n")
    (tmp_path / "entry.js").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"entry\.js: the bundle can't take in"):
        playground.modules(tmp_path / "entry.js")


def test_two_modules_with_one_name_stop_the_build(tmp_path):
    with pytest.raises(ValueError, match="same"):
        playground.minified("const same = 1;\nconst same = 2;")


def test_minified_modules_pass_the_same_tests(node, tmp_path):
    """Each module by itself, since a test has to import it: the same minifier, the same rules."""
    book, tests = tmp_path / "book" / "playground", tmp_path / "tests" / "playground"
    shutil.copytree(PLAYGROUND, book)
    shutil.copytree(HERE, tests, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for path in book.rglob("*.js"):
        path.write_text(playground.minified(path.read_text(encoding="utf-8")), encoding="utf-8")
    out = node("--test", "--test-reporter=tap", *sorted(tests.glob("*.test.js")))
    assert "# fail 0" in out

"""The playground's modules: their own tests in Node, their types, the file of digits."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess

import numpy as np
import pytest
from builder.digits import packed
from conftest import HERE, PLAYGROUND, ROOT, decode, node_path

from residual_lib import data

# Of the view those that need no page; tests/site has the rest.
VIEW = ["history", "scale", "words"]
MODULES = ["data", "engine", "presets", "random", "simulation", "state", "worker", *VIEW]


def test_javascript_tests_pass(node):
    files = sorted(HERE.glob("*.test.js"))
    assert {path.name.split(".")[0] for path in files} == set(MODULES)
    assert "# fail 0" in node("--test", "--test-reporter=tap", *files)


def test_modules_import_only_each_other():
    for path in PLAYGROUND.rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        sources = [line.rsplit("'", 2)[1] for line in text.splitlines() if " from '" in line]
        assert all((path.parent / source).is_file() for source in sources), path.name
        for word in ("eval(", "new Function", "innerHTML", "Math.random(", "importScripts"):
            assert word not in text, f"{path.name} has {word}"


def test_types():
    """TypeScript isn't on PyPI, so it is used where it is: `make playground-types` brings it."""
    own = ROOT / "_build" / "node" / "node_modules" / "typescript" / "bin" / "tsc"
    found = shutil.which("tsc")
    if own.exists():
        command = [str(node_path()), str(own)]
    elif found:
        command = [found]
    else:
        pytest.skip("no tsc here: it comes from npm, by `make playground-types`")
    for folder in (PLAYGROUND, PLAYGROUND / "view"):
        whole = [*command, "-p", str(folder / "tsconfig.json")]
        done = subprocess.run(whole, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


READ = """
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { readDigits } from './data.js';
const packed = gunzipSync(readFileSync(process.argv[2]));
const file = packed.buffer.slice(packed.byteOffset, packed.byteOffset + packed.length);
const encode = (values) => Buffer.from(values.buffer).toString('base64');
const { train, test } = readDigits(file, 0, 1);
console.log(JSON.stringify([train.x, train.y, test.x, test.y].map(encode)));
"""


def test_digits_are_those_of_the_library(node, tmp_path):
    (tmp_path / "digits.bin").write_bytes(packed())
    script = tmp_path / "read.mjs"
    script.write_text(READ.replace("./data.js", (PLAYGROUND / "data.js").as_uri()))
    read = [decode(text) for text in json.loads(node(script, tmp_path / "digits.bin"))]
    digits = data.load("digits")
    expected = [digits.x_train, digits.y_train, digits.x_test, digits.y_test]
    for ours, theirs in zip(read, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.flatten().numpy(), atol=2e-6)


def test_digits_are_small_and_the_same_each_time():
    assert packed() == packed()
    assert len(packed()) < 50_000
    assert len(gzip.decompress(packed())) == 12 + 1797 * 65

"""What nbval compares and what it lets pass, shown on one small notebook of a chapter in small."""

import json
from pathlib import Path

import pytest
from run_notebook import nbval

TOY = Path(__file__).parents[1] / "unit"
SETUP = f"""\
import os, sys
os.environ["RESIDUAL_LIB_STORE"] = "trials"
sys.path.insert(0, {str(TOY)!r})
import toy_chapter
from residual_lib import claims, experiments
from residual_lib.claims.framework import registry as claims_registry
from residual_lib.experiments.framework import registry

def gain(table):
    means = table.pivot_table(index="seed", columns="variant", values="value")
    return means["plain"] - means["residual"]

def claim(threshold):
    statement = "The residual variant ends lower."
    return claims.Claim("1.1", statement, "ours", "toy", gain, claims.above(threshold))

registry.chapters = lambda: {{1: toy_chapter}}
claims_registry._modules = lambda: (toy_chapter,)
toy_chapter.CLAIMS = (claim(0.5),)
"""
VERDICT = "1.1  holds  The residual variant ends lower.\n"
COMPARED = "claims.show_verdicts(1)"
# The cells in their order: name, source, stored output.
CELLS = [
    ("setup", SETUP, ""),
    ("noise", "import random\nexperiments.get('toy').table()\nrandom.random()", "another time"),
    ("ledger", "claims.ledger(1)", "other numbers"),
    ("as stored", COMPARED, VERDICT),
    ("stored verdict changed", COMPARED, VERDICT.replace("holds", "holds with conditions")),
    ("claim broken", "toy_chapter.CLAIMS = (claim(2),)", ""),
    ("verdict of the broken claim", COMPARED, VERDICT),
    ("error", "experiments.get('nothing')", ""),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What nbval says: name of the cell -> its failure, or None."""
    cells = [
        {
            "cell_type": "code",
            "id": name.replace(" ", "-"),
            "metadata": {"tags": ["nbval-check-output"]} if source == COMPARED else {},
            "source": source,
            "execution_count": 1 if stored else None,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": stored}] * bool(stored),
        }
        for name, source, stored in CELLS
    ]
    path = tmp_path_factory.mktemp("book") / "chapter.ipynb"
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook))
    passed, text = nbval(path)
    assert not passed
    parts = text.split("chapter.ipynb::Cell ")
    failures = {int(part.split()[0]): part for part in reversed(parts) if "failed" in part}
    return {name: failures.get(number) for number, (name, *_) in enumerate(CELLS)}


@pytest.mark.parametrize("cell", ["setup", "noise", "ledger", "as stored", "claim broken"])
def test_noise_passes_and_verdicts_that_are_as_stored_too(report, cell):
    assert report[cell] is None


def test_a_stored_verdict_that_was_changed_fails(report):
    assert "1.1  holds with conditions" in report["stored verdict changed"]


def test_a_claim_that_no_longer_holds_fails(report):
    assert "1.1  does not hold here" in report["verdict of the broken claim"]


def test_a_cell_that_raises_fails(report):
    assert "there is no experiment 'nothing'" in report["error"]

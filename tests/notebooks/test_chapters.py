"""Every chapter runs from top to bottom, and its verdicts are those that it shows."""

import json
import re

import pytest
from run_notebook import CHAPTERS, nbval

from residual_lib import claims, experiments

PARTS = (
    *("Predict", "Idea", "By hand", "Measure", "Explore", "Paper and here", "Careful"),
    *("Exercises", "Interview questions", "Takeaways", "Further reading"),
)
SHOWS = re.compile(r"^(?:predict|recall|figures\.show|Explorer)\(", re.MULTILINE)
BREAK = """\
from dataclasses import replace
from residual_lib.claims import above
from residual_lib.claims.framework import registry

for module in registry._modules():
    module.CLAIMS = tuple(
        replace(claim, holds_if=above(1e300)) if claim.id == "{id}" else claim
        for claim in module.CLAIMS
    )
"""
each_chapter = pytest.mark.parametrize("notebook", CHAPTERS, ids=lambda path: path.stem)


def name_of(notebook):
    return notebook.stem.partition("_")[2]


@each_chapter
def test_the_chapter_runs_and_its_verdicts_are_as_stored(notebook):
    passed, report = nbval(notebook)
    assert passed, report[-6000:]


@each_chapter
def test_the_chapter_shows_the_verdict_of_each_of_its_claims(notebook):
    name = name_of(notebook)
    assert experiments.chapter_number(name) == int(notebook.stem.partition("_")[0])
    found = [claim.id for claim in claims.list_claims(name)]
    assert len(found) >= 6
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    shown = [
        line.split()[0]
        for cell in cells
        if "nbval-check-output" in cell["metadata"].get("tags", [])
        for output in cell["outputs"]
        for line in output.get("text", [])
        if line.strip()
    ]
    assert [id for id in shown if id in found] == found


@each_chapter
def test_the_chapter_has_all_its_parts_in_order(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert ":::{admonition} Card" in text
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == PARTS


@each_chapter
def test_code_that_only_shows_something_is_folded_on_the_site(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    open_cells = [
        cell["id"]
        for cell in cells
        if cell["cell_type"] == "code"
        and SHOWS.search("".join(cell["source"]))
        and "hide-input" not in cell["metadata"].get("tags", [])
    ]
    assert not open_cells, f"{open_cells} need the tag hide-input"


@pytest.mark.parametrize("notebook", CHAPTERS[-1:], ids=lambda path: path.stem)
def test_a_broken_claim_fails_its_chapter(notebook, tmp_path):
    verdicts = claims.ledger(name_of(notebook), progress=False).verdicts
    broken = next(x.claim.id for x in verdicts if x.verdict.startswith("holds"))
    content = json.loads(notebook.read_text(encoding="utf-8"))
    content["cells"].insert(
        0,
        {
            "cell_type": "code",
            "id": "on-purpose",
            "metadata": {},
            "source": BREAK.format(id=broken),
            "execution_count": None,
            "outputs": [],
        },
    )
    copy = tmp_path / notebook.name
    copy.write_text(json.dumps(content), encoding="utf-8")
    passed, report = nbval(copy)
    assert not passed
    assert "1 failed" in report
    # The ids of a chapter with more than nine claims are padded.
    assert re.search(rf"{re.escape(broken)} +does not hold here", report)

"""The map of the source and the takeaways name only what there is, and a mistake is named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from residual_lib import claims
from residual_lib.models import list_models

sys.path.insert(0, str(Path(__file__).parents[2] / "book"))

from builder import coverage, takeaways

ROOT = Path(__file__).parents[2]
IDS = [claim.id for claim in claims.list_claims()]
COURSE = coverage.Course.of(ROOT / "chapters", IDS, list_models())
TOPICS = coverage.load(ROOT / "book" / "coverage.yml", COURSE)
TAKEAWAYS = takeaways.load(ROOT / "book" / "takeaways.yml", IDS)
SOURCE = ROOT.parent / "shared" / "source-document.txt"


def test_every_chapter_is_on_the_map():
    assert {chapter for topic in TOPICS for chapter in topic.sections} == set(COURSE.sections)


def test_the_errors_of_the_source_are_corrected():
    corrected = {topic.place: topic.corrected for topic in TOPICS if topic.corrected}
    for place, word in {
        "Gradient Highway": "negative",
        "Enabled Depth: the table": "protocols",
        "The Problem with Deep Networks, as a whole": "Two problems",
        "Key Takeaways: no reason not to": "Shallow nets gain nothing",
        "Stochastic Depth": "expectation",
        "Basic Residual Block": "bias=False",
        "Enabled Depth: a thousand layers": "recipe",
    }.items():
        assert word in corrected[place]


def test_explorers_and_exercises_are_found_in_the_notebooks():
    assert COURSE.explorers["Training curves by depth"] == "02_degradation"
    assert COURSE.exercises["3.4"] == "03_residual_block"
    assert "The residual block" not in COURSE.sections["02_degradation"]
    assert "Explore" not in COURSE.sections["02_degradation"], "it is there twice"


@pytest.mark.needs_shared
@pytest.mark.skipif(not SOURCE.exists(), reason="needs the summary that the course grew from")
def test_every_heading_of_the_source_has_a_row():
    lines = [line.strip() for line in SOURCE.read_text(encoding="utf-8").splitlines()]
    lines = [line.lstrip("0123456789. ") for line in lines]
    # What comes behind a comma or a colon in a place tells two rows of one heading apart.
    places = {topic.place.split(",")[0].split(":")[0] for topic in TOPICS}
    for place in places:
        assert any(line.lower().startswith(place.lower()) for line in lines), f"no {place} there"
    headings = {
        *("Vanishing Gradients", "Degradation Problem", "Basic Idea", "Visual Representation"),
        *("Gradient Highway", "Easy to Learn Identity", "Ensemble Effect", "Identity Shortcut"),
        *("Projection Shortcut", "Pre-activation ResNet", "ResNet", "DenseNet", "U-Net"),
        *("Transformer", "Basic Residual Block", "With Projection", "Stochastic Depth"),
        *("Squeeze-and-Excitation", "ReZero", "Enabled Depth", "Now Everywhere"),
        *("Key Takeaways", "Practice Questions"),
    }
    assert headings <= {line.partition(":")[0] for line in lines}, "the document has changed"
    assert headings <= places


ROW = {
    "place": "Basic Idea",
    "says": "y = x + F(x)",
    "sections": {"03_residual_block": "Backward"},
    "models": ["resnet18"],
    "claims": ["3.1"],
    "explorers": ["What a block finds easy"],
    "exercises": ["3.4"],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claims": ["3.99"]}, r"claims must be one that the course has, got '3.99'"),
        ({"claims": []}, r"claims must be a list of at least one, got \[\]"),
        ({"models": ["resnet17"]}, "models must be one .* got 'resnet17'"),
        ({"explorers": ["None"]}, "explorers must be one .* got 'None'"),
        ({"exercises": None}, "exercises must be a list of at least one, got None"),
        ({"exercises": ["3.9"]}, "exercises must be one .* got '3.9'"),
        ({"sections": {"03_residual_block": "Explore"}}, "sections must be .* Explore'"),
        ({"sections": {}}, "sections must be a mapping"),
        ({"says": " "}, "says must be a text, got ' '"),
        ({"corrected": 3}, "corrected must be a text, got 3"),
        ({"seen": 1}, "a row must be a mapping with place, says"),
    ],
)
def test_a_row_that_lacks_something_or_leads_nowhere_is_named(tmp_path, change, message):
    path = tmp_path / "map.yml"
    path.write_text(yaml.safe_dump({"topics": [ROW]}))
    assert coverage.load(path, COURSE)[0].place == "Basic Idea"
    path.write_text(yaml.safe_dump({"topics": [{**ROW, **change}]}))
    with pytest.raises(coverage.CoverageError, match=rf"map.yml, row 1 \(Basic Idea\): {message}"):
        coverage.load(path, COURSE)


@pytest.mark.parametrize("text", ["topics: []", "rows: 3", "topics: {"])
def test_a_file_without_rows_is_named(tmp_path, text):
    (tmp_path / "map.yml").write_text(text)
    with pytest.raises(coverage.CoverageError, match=r"map.yml: (topics must be|not YAML)"):
        coverage.load(tmp_path / "map.yml", COURSE)


def test_the_page_leads_to_all_that_a_row_names():
    course = COURSE
    text = coverage.page(TOPICS[:1], course)
    for part in (
        'href="../chapters/02_degradation.html#measure"',
        'href="claims.html#claim-2.3"',
        'href="../chapters/02_degradation.html#explorer=training-curves-by-depth"',
        'href="../chapters/02_degradation.html#exercises"',
        "`residual_conv1d`",
    ):
        assert part in text


# --- takeaways ------------------------------------------------------------------------------


def test_six_takeaways_each_with_evidence():
    assert len(TAKEAWAYS) == 6
    assert all(len(one.claims) >= 3 for one in TAKEAWAYS)
    counts = [sum(one.verdict == verdict for one in TAKEAWAYS) for verdict in takeaways.VERDICTS]
    assert counts == [2, 3, 1], "the first lines of book/takeaways.md count them in words"


def test_evidence_stands_below_each():
    text = takeaways.page(TAKEAWAYS, lambda ids: f"<p>{' and '.join(ids)}</p>")
    assert text.count("## ") == 6
    assert "**Wrong as it stands.**" in text
    assert f"<p>{' and '.join(TAKEAWAYS[0].claims)}</p>" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claims": ["0.1"]}, "takeaway 1: there is no claim '0.1'"),
        ({"claims": []}, "takeaway 1: claims must be a list of ids"),
        ({"verdict": "true"}, "takeaway 1: verdict must be one of stands, half, wrong, got 'true'"),
        ({"more": 1}, "takeaway 1: it must have claims, takeaway, text, verdict and nothing else"),
    ],
)
def test_a_wrong_takeaway_is_named(tmp_path, change, message):
    row = {"takeaway": "Skips help.", "verdict": "half", "text": "Some do.", "claims": ["2.3"]}
    path = tmp_path / "six.yml"
    path.write_text(yaml.safe_dump({"takeaways": [{**row, **change}]}))
    with pytest.raises(takeaways.TakeawayError, match=message):
        takeaways.load(path, IDS)

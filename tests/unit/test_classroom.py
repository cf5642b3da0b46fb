"""A class's predictions: what is read from saved files, what is refused, what is drawn."""

import json
import random
import re
import subprocess
import sys

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from residual_lib import classroom
from residual_lib.__main__ import main
from residual_lib.classroom.drawing import draw
from residual_lib.classroom.questions import parse

QUESTIONS = {
    "2.depth": {
        "id": "2.depth",
        "question": "How does the error go?",
        "names": ["8 layers", "20 layers", "56 layers"],
        "ticks": ["8", "20", "56"],
        "low": 0,
        "high": 100,
        "log": False,
        "unit": " %",
        "xlabel": "depth, layers",
        "ylabel": "training error",
        "measured": [29, 45, 81],
        "band": [[25, 40, 78], [33, 50, 84]],
        "href": "../chapters/02_degradation.html#rl-predict-2.depth",
    },
    "4.flops": {
        "question": "How many more?",
        "low": 0,
        "high": 100,
        "unit": " %",
        "measured": 13.1,
    },
    "10.gate": {"question": "Which?", "choices": ["lower", "the same", "higher"], "answer": None},
}
ANSWERS = {"2.depth": [10, 20, 30], "4.flops": 20, "10.gate": "higher"}


def content(**changes):
    made = {"format": "residual-course", "version": 1, "saved": "2026-01-01T00:00:00.000Z"}
    made |= {"name": "", "predictions": ANSWERS, "questions": QUESTIONS}
    made |= {"quizzes": {}, "exercises": {"1.2": "passed"}, "read": {"01": "1"}}
    return made | changes


@pytest.fixture
def put(tmp_path):
    """Writes a file and returns its path."""

    def put(name, made):
        path = tmp_path / name
        path.write_bytes(made if isinstance(made, bytes) else json.dumps(made).encode())
        return str(path)

    return put


def test_answers_are_read_with_the_questions_in_the_order_of_chapters(put):
    group = classroom.read([put("a.json", content()), put("b.json", content(name="Ben"))])
    assert list(group.questions) == ["2.depth", "4.flops", "10.gate"]
    assert group.answers == {
        "2.depth": [(10, 20, 30)] * 2,
        "4.flops": [20] * 2,
        "10.gate": ["higher"] * 2,
    }
    assert group.questions["2.depth"].measured == (29, 45, 81)
    assert group.questions["10.gate"].answer is None
    assert group.complaints == ()


def test_the_summary_says_what_the_class_said_and_what_was_measured(put):
    other = {"2.depth": [39, 55, 91], "4.flops": 30, "10.gate": "lower"}
    more = {"4.flops": 40, "10.gate": "lower"}
    group = classroom.read(
        [
            put("a.json", content()),
            put("b.json", content(predictions=other)),
            put("c.json", content(predictions=more)),
        ]
    )
    lines = [re.split(r"  +", line) for line in classroom.summary(group).splitlines()]
    # Away from the measured curve on average: (19 + 25 + 51) / 3 and 10.
    away = "median 20.8 percentage points from the measured curve"
    assert lines[1] == ["2.depth", "2", away, "29, 45, 81 %"]
    assert lines[2] == ["4.flops", "3", "median 30 %, half from 25 to 35 %", "13.1 %"]
    assert lines[3] == ["10.gate", "3", "2 say 'lower'", "not in the files"]


def test_a_logarithmic_curve_is_a_factor_away(put):
    log = QUESTIONS["2.depth"] | {"log": True, "low": 1, "high": 1000, "unit": ""}
    log |= {"measured": [10, 10, 10], "band": None}
    made = content(questions={"2.depth": log}, predictions={"2.depth": [10, 100, 1000]})
    group = classroom.read([put("a.json", made)])
    assert "median a factor of 10 from the measured curve" in classroom.summary(group)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (b"", "it isn't JSON"),
        (b"\xff\xfe\x00nonsense", "it isn't JSON"),
        (b"[" * 100_000, "it isn't JSON"),
        (b"{}" + b" " * 1_000_001, "larger than 1 MB"),
        ([], "isn't a file of the course"),
        ({"format": "other"}, "isn't a file of the course"),
        (content(version=2), "another version"),
        (content(predictions=[]), "has no questions and predictions"),
        (content(questions=None), "has no questions and predictions"),
        (content(predictions={str(k): 1 for k in range(201)}), "more than 200 predictions"),
    ],
)
def test_a_bad_file_is_named_in_one_line_and_left_out(put, made, message):
    bad, good = put("bad\n.json", made), put("good.json", content())
    group = classroom.read([bad, good])
    assert len(group.students) == 1
    (line,) = group.complaints
    assert "bad .json: left out: " in line
    assert message in line


def test_a_folder_and_a_missing_file_are_named_too(tmp_path, put):
    group = classroom.read([tmp_path, tmp_path / "none.json", put("good.json", content())])
    assert [line.split(": ", 1)[1] for line in group.complaints] == [
        "left out: Is a directory",
        "left out: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("id", "change"),
    [
        ("2.depth", {"names": ["a", "a", "b"]}),
        ("2.depth", {"names": ["a"]}),
        ("2.depth", {"ticks": ["1"]}),
        ("2.depth", {"low": 100}),
        ("2.depth", {"high": 10**400}),
        ("2.depth", {"log": "yes"}),
        ("2.depth", {"log": True}),
        ("2.depth", {"xlabel": "x" * 101}),
        ("2.depth", {"measured": [1, 2]}),
        ("2.depth", {"question": " "}),
        ("4.flops", {"measured": True}),
        ("4.flops", {"unit": 3}),
        ("10.gate", {"choices": ["a"]}),
        ("10.gate", {"choices": "lower"}),
    ],
)
def test_a_question_that_is_none_is_left_out(put, id, change):
    questions = QUESTIONS | {id: QUESTIONS[id] | change}
    group = classroom.read([put("a.json", content(questions=questions))])
    assert set(group.questions) == set(QUESTIONS) - {id}
    assert "one prediction left out" in group.complaints[0]


@pytest.mark.parametrize("id", ["../../x", "", "a/b", "a" * 81, "<b>", "a\0"])
def test_an_id_never_becomes_a_path(put, id):
    made = content(questions={id: QUESTIONS["4.flops"]}, predictions={id: 5})
    assert classroom.read([put("a.json", made)]).questions == {}


@pytest.mark.parametrize(
    ("id", "value"),
    [
        ("2.depth", [10, 20]),
        ("2.depth", [10, 20, 101]),
        ("2.depth", [10, 20, None]),
        ("2.depth", "abc"),
        ("2.depth", {"0": 1}),
        ("4.flops", -1),
        ("4.flops", float("nan")),
        ("4.flops", "20"),
        ("4.flops", True),
        ("10.gate", "<b>higher</b>"),
        ("10.gate", ["higher"]),
    ],
)
def test_an_answer_that_doesnt_fit_is_left_out(put, id, value):
    bad = put("bad.json", content(predictions=ANSWERS | {id: value}))
    group = classroom.read([bad, put("good.json", content())])
    assert len(group.answers[id]) == 1
    assert group.complaints == (f"{bad}: the answer to {id} doesn't fit the question",)


def test_of_two_files_of_one_name_the_later_counts(put):
    new = put("new.json", content(name=" Ada  L ", predictions={"4.flops": 1}, saved="2026-02"))
    old = put("old.json", content(name="ada l", predictions={"4.flops": 2}, saved="2026-01"))
    group = classroom.read([new, old, put("c.json", content())])
    assert group.answers["4.flops"] == [1, 20]
    assert group.complaints == (f"{old}: left out: {new} is of ada l, too, and later",)
    assert classroom.read([new, new]).answers["4.flops"] == [1]  # the same file twice is one file
    # Without a time, the later in the list; without a name, everybody is somebody else.
    same = [put("1.json", content(name="x", saved=0)), put("2.json", content(name="x", saved=None))]
    assert [student.file for student in classroom.read(same).students] == [same[1]]
    assert len(classroom.read([put("3.json", content()), put("4.json", content())]).students) == 2


def test_the_majority_says_what_the_question_was(put):
    forged = QUESTIONS | {"4.flops": QUESTIONS["4.flops"] | {"measured": 99, "high": 10}}
    files = [put("a.json", content(questions=forged))]
    files += [put(f"{name}.json", content()) for name in "bc"]
    group = classroom.read(files)
    assert group.questions["4.flops"].measured == 13.1
    assert group.answers["4.flops"] == [20] * 3


def test_no_file_and_too_many_are_refused():
    with pytest.raises(ValueError, match="files must be 1 to 2000, got 0"):
        classroom.read([])
    with pytest.raises(ValueError, match="got 2001"):
        classroom.read([f"{k}.json" for k in range(2001)])


# --------------------------------------------------------------------------------------- drawing


def test_a_curve_shows_everybody_the_median_and_the_measurement():
    answers = [(0, 0, 0), (10, 20, 30), (90, 90, 90)]
    figure = draw(parse("2.depth", QUESTIONS["2.depth"]), answers)
    *students, median, measured = figure.axes[0].lines
    assert [tuple(line.get_ydata()) for line in students] == answers
    assert list(median.get_ydata()) == [10, 20, 30]
    assert median.get_linewidth() > 3 * students[0].get_linewidth()
    assert list(measured.get_ydata()) == [29, 45, 81]
    assert [text.get_text() for text in figure.legends[0].texts] == [
        "the class, median",
        "measured",
    ]
    assert len(figure.axes[0].patches) == 1  # the band


def test_without_a_measurement_there_is_no_line_for_it():
    question = {k: v for k, v in QUESTIONS["2.depth"].items() if k != "measured"}
    figure = draw(parse("2.depth", question), [(10, 20, 30)])
    assert [text.get_text() for text in figure.legends[0].texts] == ["the class, median"]
    assert not figure.axes[0].patches


def test_numbers_are_a_histogram_and_choices_are_bars():
    number = draw(parse("4.flops", QUESTIONS["4.flops"]), [1, 2, 99]).axes[0]
    heights = [bar.get_height() for bar in number.patches]
    assert sum(heights) == 3
    assert (heights[0], heights[-1]) == (2, 1)
    assert [line.get_xdata()[0] for line in number.lines] == [2, 13.1]
    gate = QUESTIONS["10.gate"] | {"answer": "higher"}
    bars = draw(parse("10.gate", gate), ["lower", "higher", "lower"]).axes[0]
    assert [bar.get_width() for bar in bars.patches] == [2, 0, 1]
    assert [text.get_text() for text in bars.texts] == [" 2", " 0", " 1, measured"]


HOSTILE = '</title><script>alert(1)</script><img src=x onerror="alert(1)">$\\frac{$ {0} %s'


def test_hostile_texts_are_only_text(put, tmp_path):
    questions = {
        "a": QUESTIONS["2.depth"]
        | {
            "question": HOSTILE,
            "xlabel": HOSTILE[:99],
            "ylabel": "$x$ $",
            "names": ["$", "$$", "y"],
        },
        "b": QUESTIONS["10.gate"] | {"choices": [HOSTILE, "$\\undefined$"], "answer": HOSTILE},
        "c": QUESTIONS["4.flops"] | {"unit": "$^{", "question": "\u202e\x1b[31mred\n漢字"},
    }
    answers = {"a": [1, 2, 3], "b": HOSTILE, "c": 5}
    made = content(questions=questions, predictions=answers, name=HOSTILE)
    group = classroom.read([put("a.json", made)])
    assert set(group.questions) == {"a", "b", "c"}
    page = classroom.write(group, tmp_path / "out")[0]
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "lxml")
    assert len(soup("script")) == 0
    assert [image["src"][:19] for image in soup("img")] == ["data:image/svg+xml;"] * 3
    assert soup("h2")[0].string == f"a: {HOSTILE}"
    assert "default-src 'none'" in soup.find("meta", attrs={"http-equiv": True})["content"]
    for svg in (tmp_path / "out").glob("*.svg"):
        assert "<script" not in svg.read_text(encoding="utf-8")
    said = classroom.summary(group)
    assert all(line.isprintable() for line in said.splitlines())


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(QUESTIONS)), st.data())
def test_whatever_a_question_holds_it_is_refused_or_drawn(id, data):
    question = dict(QUESTIONS[id])
    for key in data.draw(st.lists(st.sampled_from(list(question)), min_size=1, max_size=2)):
        question[key] = data.draw(VALUES | st.floats(-1e30, 1e30))
    try:
        parsed = parse(id, question)
    except ValueError:
        return
    accepted = parsed.accepts(ANSWERS[id])
    if accepted is not None:
        assert draw(parsed, [accepted]).axes


# --------------------------------------------------------------------------------------- command


def test_the_command_draws_a_class_from_end_to_end(put, tmp_path):
    draws = random.Random(0)
    files = []
    for k in range(24):
        curve = sorted(draws.uniform(0, 100) for _ in range(3))
        answers = {"2.depth": curve, "4.flops": draws.uniform(0, 100)}
        answers["10.gate"] = draws.choice(["lower", "the same", "higher"])
        files.append(put(f"s{k}.json", content(name=f"Student {k}", predictions=answers)))
    files += [put("broken.json", b"{"), put("again.json", content(name="student 3"))]
    out = tmp_path / "lecture"
    command = [sys.executable, "-m", "residual_lib", "class", *files, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert "broken.json: left out: it isn't JSON" in done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == list(QUESTIONS)
    assert lines[-1].startswith("24 students; ")
    wanted = {f"{id}.{kind}" for id in QUESTIONS for kind in ("png", "svg")} | {"index.html"}
    assert {path.name for path in out.iterdir()} == wanted
    for id in QUESTIONS:
        with Image.open(out / f"{id}.png") as image:
            assert image.width >= 1000
    assert "Student" not in (out / "index.html").read_text(encoding="utf-8")


def test_nothing_to_draw_is_exit_code_1(put, tmp_path, capsys):
    assert main(["class", put("a.json", b"{"), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err.splitlines()
    assert "it isn't JSON" in said[0]
    assert said[1] == "residual_lib: no file holds a prediction that can be drawn"
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file_is_exit_code_2(put, capsys):
    path = put("a.json", content())
    assert main(["class", path, "--out", path]) == 2
    assert "out: " in capsys.readouterr().err


def test_help_says_what_the_files_are(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["class", "--help"])
    assert stop.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "class [-h] [--out FOLDER] FILE" in said
    assert "saved on the page of progress" in said

"""The files for Anki, Moodle and Canvas, read by programs that aren't ours.

Anki's own library imports the deck, gift-pegjs reads what is for Moodle, pyslet and lxml what is
for Canvas. What they find is compared with the question bank, and with texts that try each
format's own signs.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from anki.collection import Collection, ImportAnkiPackageRequest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as some
from lxml import etree
from pyslet.qtiv1.xml import QTIDocument

sys.path.insert(0, str(Path(__file__).parents[2] / "book"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import npm
from builder.quiz import exports
from builder.quiz.bank import Chapter, Choice, Number, Question, Wrong, chapters
from builder.quiz.exports import anki, gift, items, qti, texts

ROOT = Path(__file__).parents[2]
NASTY = {
    "gift": "~a =b #c {d} e:f ::g:: ####h -> %50%i",
    "comment": "// no comment",
    "format": "[html] [moodle]x",
    "true": "TRUE",
    "weight": "%100%all of it",
    "backslashes": r"`\n \\ \\\\ \~ \=` and $\nabla \neq \{a\} \# \\$",
    "formula": "$a < b & c_{1}^{2} = \\frac{x}{y} \\text{ if } d > e$",
    "display": "As follows:\n\n$$\n\\begin{aligned}\na &= b \\\\\n&< c\n\\end{aligned}\n$$",
    "amsmath": "\\begin{align}\na &= b\n\\end{align}",
    "no formula": "`\\(x\\)`, `\\[y\\]` and \\\\(z\\\\) are code and text",
    "tags": "<script>alert(1)</script> <b onclick='x()'>b</b> &amp; & < > \" '",
    "cards": "{{Question}} {{FrontSide}} {{c1::cloze}} {{#About}}",
    "data": "]]> <![CDATA[ <?xml ?> <!-- -->",
    "letters": "é 漢字 🙂 ∂₁ \u00a0 − “”",
    "code": "```python\nx = {1: '#'}  # ~= ::\n\n\nif x[1] == '<&>':\n    y = '\\n'\n```",
    "table": "| $a$ | b |\n|---|---|\n| 1 | `c\\|d` |",
    "role": "a {term}`shortcut`, and {term}`more <shortcut>`",
    "list": "- one\n- two\n\n1. three",
}


def nasty_question(kind: str, text: str) -> Question:
    known = {"id": f"7.{kind}", "chapter": 7, "level": "hard", "kind": kind, "section": "`a + b`?"}
    known |= {"text": text, "explanation": text}
    line = " ".join(text.split())
    wrong = (Wrong(text, text),)
    if kind == "choice":
        offered = (Choice(f"{line} 1", text, False), Choice(line, "", True))
        return Question(**known, choices=offered)
    if kind == "number":
        known |= {"kind": "short", "wrong": (Wrong(-2e-5, text), Wrong(1234567.5, text))}
        return Question(**known, number=Number(0.25, 1e-6, "% ~ = #", "1 / 4"))
    return Question(**known, answer=text, wrong=wrong)


KINDS = ("choice", "number", "short", "code", "derivation")
PARTS = items.parts(chapters())
ITEMS = [item for part in PARTS for item in part.items]
HARD = items.parts(
    Chapter(
        number,
        "07_toy",
        f"{number}. {name}: a/b ::c",
        tuple(
            replace(made, id=f"{number}.{kind}", chapter=number)
            for kind in KINDS
            for made in [nasty_question(kind, text)]
        ),
    )
    for number, (name, text) in enumerate(NASTY.items(), 1)
)
each = pytest.mark.parametrize("parts", [PARTS, HARD], ids=["bank", "nasty"])


def everything(parts):
    return [item for part in parts for item in part.items]


# --- texts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("$a<b$ and **c**", r"\(a&lt;b\) and <strong>c</strong>"),
        (r"costs \$5 or \$6", "costs $5 or $6"),
        ("`a<b`", "<code>a&lt;b</code>"),
        ("`\\(a\\)`", "<code>\\<span>(</span>a\\<span>)</span></code>"),
        ("<i>a</i>", "&lt;i&gt;a&lt;/i&gt;"),
        ("a {term}`shortcut`", "a shortcut"),
        ("a {term}`skip <shortcut>`", "a skip"),
    ],
)
def test_markdown_becomes_html_with_formulas_as_latex(markdown, html):
    assert texts.inline(markdown) == html


def test_code_is_kept_line_by_line():
    code = "def f(x):\n\n    return x < 1 & 2  # \\(no formula\\)\n"
    shown = BeautifulSoup(texts.code(code), "lxml").select_one("pre > code")
    assert shown.get_text() == code


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_nothing_in_a_text_becomes_a_tag(text):
    allowed = {"p", "code", "pre", "span", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th"}
    found = BeautifulSoup(texts.blocks(text), "html.parser").find_all(True)
    assert {tag.name for tag in found} <= allowed | {"td"}
    assert all(set(tag.attrs) <= {"class"} for tag in found)


def test_the_bank_has_the_formulas_of_its_questions():
    for chapter, part in zip(chapters(), PARTS, strict=True):
        for question, item in zip(chapter.questions, part.items, strict=True):
            for given_, made in ((question.text, item.text), (question.explanation, "")):
                if made and "`" not in given_:
                    dollars = given_.replace("$$", "").replace(r"\$", "").count("$")
                    assert made.count(r"\(") * 2 == dollars, question.id


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.5, "0.5"), (-0.0, "0"), (1e-6, "0.000001"), (65536.0, "65536"), (-1.5, "-1.5")],
)
def test_numbers_have_no_exponent(number, text):
    assert items.readable(number) == text


# --- the files ------------------------------------------------------------------------------


def test_the_same_questions_give_the_same_files(tmp_path):
    made = []
    for seed in "12":
        folder = tmp_path / seed
        subprocess.run(
            [sys.executable, "-m", "builder.quiz.exports", str(folder)],
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": f"UTC+{seed}"},
            cwd=ROOT / "book",
            check=True,
            capture_output=True,
        )
        made.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert made[0] == made[1]
    assert set(made[0]) == set(exports.FILES)


# --- Anki -----------------------------------------------------------------------------------


@pytest.fixture
def collection(tmp_path):
    opened = Collection(str(tmp_path / "collection.anki2"))
    yield opened
    opened.close()


@pytest.fixture
def bring(collection, tmp_path):
    def bring(parts, changed=None):
        path = tmp_path / "deck.apkg"
        path.write_bytes(anki.deck(parts, changed))
        log = collection.import_anki_package(ImportAnkiPackageRequest(package_path=str(path))).log
        return {name: len(getattr(log, name)) for name in ("new", "updated", "duplicate")}

    return bring


@each
def test_anki_has_a_card_for_each_question(collection, bring, parts):
    whole = everything(parts)
    assert bring(parts) == {"new": len(whole), "updated": 0, "duplicate": 0}
    assert collection.card_count() == len(whole)
    names = {deck.name for deck in collection.decks.all_names_and_ids()}
    assert len(names - {"Default", "Residual connections"}) == len(parts)
    notes = [collection.get_note(id) for id in collection.find_notes("")]
    found = {note["Id"]: note for note in notes}
    assert set(found) == {item.id for item in whole}
    for part in parts:
        for item in part.items:
            note = found[item.id]
            assert note["Question"].startswith(item.text)
            assert item.answer.shown in note["Answer"]
            for wrong in item.wrong:
                assert wrong.shown in note["Answer"]
                assert wrong.why in note["Answer"]
            assert note["Source"] == item.source
            assert set(note.tags) == {
                f"chapter::{part.number:02}",
                f"level::{item.level}",
                f"kind::{item.kind}",
            }
            (card,) = note.cards()
            assert note["Question"] in card.question()
            assert item.answer.why not in card.question() or item.answer.why in item.text
            assert note["Answer"] in card.answer()


def test_a_choice_names_its_letter():
    item = next(item for item in ITEMS if item.choices)
    letter = "ABCDEF"[item.choices.index(item.answer)]
    assert anki._back(item).startswith(f"<p><b>{letter}: {item.answer.shown}</b></p>")


def test_a_later_deck_updates_cards_and_leaves_the_schedule(collection, bring):
    bring(PARTS)
    assert bring(PARTS)["duplicate"] == len(ITEMS)
    card = collection.get_card(collection.find_cards(f"Id:{ITEMS[0].id}")[0])
    card.type = card.queue = 2
    card.ivl = 30
    collection.update_card(card)
    changed = replace(ITEMS[0], text="<p>Asked anew.</p>")
    newer = (replace(PARTS[0], items=(changed, *PARTS[0].items[1:])), *PARTS[1:])
    later = datetime.now(timezone.utc) + timedelta(days=1)
    assert bring(newer, later) == {"new": 0, "updated": len(ITEMS), "duplicate": 0}
    card = collection.get_card(card.id)
    assert card.ivl == 30
    assert card.note()["Question"].startswith("<p>Asked anew.</p>")
    assert collection.card_count() == len(ITEMS)


# --- Moodle ---------------------------------------------------------------------------------

READ = """
const { parse } = require(process.argv[1]);
const text = require("fs").readFileSync(0, "utf8");
process.stdout.write(JSON.stringify(parse(text)));
"""


@pytest.fixture(scope="module")
def read_gift():
    """gift-pegjs, which comes from npm."""
    try:
        folder = npm.bring("gift-pegjs")
    except RuntimeError as error:
        pytest.skip(str(error))

    def read(content):
        command = [npm.NODE, "-e", READ, str(folder)]
        return json.loads(
            subprocess.run(command, input=content, capture_output=True, check=True).stdout
        )

    return read


def html(found):
    assert found["format"] == "html"
    return found["text"]


@each
def test_moodle_reads_every_question(read_gift, parts):
    read = read_gift(gift.text(parts))
    categories = [each["title"] for each in read if each["type"] == "Category"]
    assert len(categories) == len(parts)
    read = [each for each in read if each["type"] != "Category"]
    pairs = [(part, item) for part in parts for item in part.items]
    for (part, item), found in zip(pairs, read, strict=True):
        assert found["title"] == item.id
        assert found["id"] == f"residual-{item.id}"
        assert found["tags"] == [f"chapter {part.number}", item.level, item.kind]
        assert html(found["stem"]) == item.text
        said = html(found["globalFeedback"])
        if item.choices:
            assert found["type"] == "MC"
            for choice, offered in zip(item.choices, found["choices"], strict=True):
                assert html(offered["text"]) == choice.shown
                assert html(offered["feedback"]) == choice.why
                assert offered["isCorrect"] == choice.right
            assert said == item.source
        elif item.number:
            assert found["type"] == "Numerical"
            answers = (item.answer, *item.wrong)
            for answer, offered in zip(answers, found["choices"], strict=True):
                assert offered["text"]["number"] == pytest.approx(answer.number, rel=1e-9)
                assert offered["text"]["range"] == item.number.tolerance
                assert html(offered["feedback"]) == answer.why
                assert offered["weight"] == (None if answer.right else 0)
            assert said == item.source
        else:
            assert found["type"] == "Essay"
            assert said.startswith(item.answer.shown)
            assert said.endswith(item.source)


def as_moodle(text):
    """What Moodle makes of an escaped text, in its order: first the backslashes are put aside."""
    marks = {f"\\{sign}": f"&&{ord(sign):03};" for sign in ":#={}~"} | {"\\n": "&&010;"}
    text = text.replace("\\\\", "&&092;")
    for sign, mark in marks.items():
        text = text.replace(sign, mark)
    text = text.replace("&&092;", "\\")
    assert not set(text) & set("#={}~\n")
    for sign, mark in marks.items():
        text = text.replace(mark, "\n" if sign == "\\n" else sign[1])
    return text


@given(some.text(alphabet="\\~=#{}:nab/%[]()$<>&; \n", max_size=30))
def test_moodle_finds_what_was_escaped(text):
    made = texts.plain(text)
    assert as_moodle(gift.escaped(made)) == made


# --- Canvas ---------------------------------------------------------------------------------

NAMES = {"q": "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"}
MANIFEST = {"m": "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1"}


def unpacked(parts):
    """The files of the package by name, the quizzes in the manifest's order."""
    with zipfile.ZipFile(io.BytesIO(qti.package(parts))) as archive:
        assert archive.testzip() is None
        manifest = etree.fromstring(archive.read("imsmanifest.xml"))
        resources = manifest.findall(".//m:resource", MANIFEST)
        assert {resource.get("type") for resource in resources} == {"imsqti_xmlv1p2"}
        names = [resource.find("m:file", MANIFEST).get("href") for resource in resources]
        assert set(archive.namelist()) == {"imsmanifest.xml", *names}
        return [archive.read(name) for name in names]


@each
def test_canvas_is_given_every_text(parts):
    for part, content in zip(parts, unpacked(parts), strict=True):
        root = etree.fromstring(content)
        found = root.findall(".//q:item", NAMES)
        for item, element in zip(part.items, found, strict=True):
            entries = dict(
                zip(
                    element.xpath(".//q:fieldlabel/text()", namespaces=NAMES),
                    element.xpath(".//q:fieldentry/text()", namespaces=NAMES),
                    strict=True,
                )
            )
            kind = "multiple_choice" if item.choices else "numerical" if item.number else "essay"
            assert entries["question_type"] == f"{kind}_question"
            asked, *offered = element.findall("q:presentation//q:mattext", NAMES)
            assert asked.text == item.text
            assert [each.text for each in offered] == [f"<p>{c.shown}</p>" for c in item.choices]
            said = {
                each.get("ident"): each.find(".//q:mattext", NAMES).text or ""
                for each in element.findall("q:itemfeedback", NAMES)
            }
            linked = element.xpath(".//q:displayfeedback/@linkrefid", namespaces=NAMES)
            assert sorted(linked) == sorted(said)
            assert item.source in said["general_fb"]
            if item.choices:
                whys = [said[f"answer{place}_fb"] for place in range(1, len(item.choices) + 1)]
                assert whys == [choice.why for choice in item.choices]
            elif item.number:
                assert said["correct_fb"] == item.answer.why
                assert all(wrong.why in said["general_incorrect_fb"] for wrong in item.wrong)
            else:
                assert said["general_fb"].startswith(item.answer.shown)


def conditions(item):
    """What pyslet says gives the full score: the conditions of each rule that sets it."""
    for rule in item.ResProcessing[0].ConditionMixin:
        if any(float(setting.get_value()) == 100 for setting in rule.SetVar):
            yield rule.ConditionVar.ExtendableExpressionMixin


def test_canvas_marks_what_is_right():
    for part, content in zip(PARTS, unpacked(PARTS), strict=True):
        document = QTIDocument()
        document.read(src=content.decode())
        assessment = document.root.Assessment
        assert assessment.title == f"Residual connections, {part.title}"
        (section,) = assessment.SectionMixin
        read = section.SectionItemMixin
        for item, found in zip(part.items, read, strict=True):
            assert found.ident == f"residual-{item.id}"
            rules = list(conditions(found))
            if item.choices:
                (((right),),) = rules
                place = item.choices.index(item.answer) + 1
                assert (type(right).__name__, right.get_value()) == ("VarEqual", f"answer{place}")
            elif item.number:
                (((either),),) = rules
                exact, within = either.ExpressionMixin
                low, high = within.ExpressionMixin
                names = [type(each).__name__ for each in (either, exact, within, low, high)]
                assert names == ["Or", "VarEqual", "And", "VarGTE", "VarLTE"]
                value, tolerance = item.number.value, item.number.tolerance
                for each, expected in (
                    (exact, value),
                    (low, value - tolerance),
                    (high, value + tolerance),
                ):
                    assert float(each.get_value()) == pytest.approx(expected, abs=1e-11)
                for wrong in item.wrong:
                    assert not float(low.get_value()) <= wrong.number <= float(high.get_value())
            else:
                assert not rules

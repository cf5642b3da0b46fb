"""Marks in the chapters, and the page of progress: shown, saved, read in, cleared."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import NARROW, ROOT, pages
from playwright.sync_api import Browser, Page, expect

from residual_lib.exercises import list_exercises

CHAPTERS = [path for path in pages() if path.startswith("chapters/")]
CHAPTER = next(path for path in CHAPTERS if "/02_" in path)
PROGRESS = "book/progress.html"
PREFIX = "residual-course."
MANY = {
    "prediction.2.depth": "[10,20,30,40]",
    "prediction.4.flops": "12.5",
    "prediction.5.gate": "higher",
    "exercise.2.1": "passed",
    "exercise.2.3": "passed",
    "read.01": "1",
}


def keep(page: Page, address: str, entries: dict[str, str]) -> None:
    page.goto(address + "404-none.html")
    script = "e => Object.entries(e).forEach(([k, v]) => localStorage.setItem(k, v))"
    page.evaluate(script, {PREFIX + key: text for key, text in entries.items()})
    page.goto(address + PROGRESS)


def kept(page: Page) -> dict[str, str]:
    found = page.evaluate("Object.fromEntries(Object.entries(localStorage))")
    return {k.removeprefix(PREFIX): v for k, v in found.items() if k.startswith(PREFIX)}


def row(page: Page, chapter: int) -> list[str]:
    return page.locator(f"#rl-overview tbody tr:nth-child({chapter}) > *").all_inner_texts()


@pytest.fixture
def save(page: Page, tmp_path: Path) -> Callable[[], Path]:
    """Press the button, and return where the browser put the file."""

    def save() -> Path:
        with page.expect_download() as started:
            page.get_by_role("button", name="Save as a file").click()
        path = tmp_path / started.value.suggested_filename
        started.value.save_as(path)
        return path

    return save


def read_in(page: Page, tmp_path: Path, content: object) -> None:
    path = tmp_path / "in.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Read a file in").click()
    chooser.value.set_files(path)


# ---------------------------------------------------------------------------------------- marks


def test_every_checked_exercise_and_every_chapter_has_a_box(page: Page, address: str) -> None:
    assert CHAPTERS
    for path in CHAPTERS:
        page.goto(address + path)
        number = path.removeprefix("chapters/")[:2]
        wanted = [f"exercise.{exercise.id}" for exercise in list_exercises(int(number))]
        marks = page.locator("input[data-mark]").evaluate_all("all => all.map(e => e.dataset.mark)")
        assert marks == [*wanted, f"read.{number}"]


def test_a_box_stands_right_below_its_exercise(page: Page, address: str) -> None:
    page.goto(address + CHAPTER)
    cell = page.locator(".rl-mark:has([data-mark='exercise.2.2'])").locator(
        "xpath=preceding-sibling::*[1]"
    )
    assert 'check("2.2"' in cell.inner_text()


def test_boxes_last_and_can_be_taken_back(page: Page, address: str) -> None:
    page.goto(address + CHAPTER)
    page.get_by_label("I have solved exercise 2.1").check()
    page.get_by_label("I have read this chapter").focus()
    page.keyboard.press("Space")
    assert kept(page) == {"exercise.2.1": "passed", "read.02": "1"}
    page.reload()
    expect(page.get_by_label("I have solved exercise 2.1")).to_be_checked()
    expect(page.get_by_label("I have solved exercise 2.2")).not_to_be_checked()
    page.locator(".rl-finish").get_by_role("link", name="Your progress").click()
    expect(page.locator("#rl-overview tbody tr").first).to_be_visible()
    assert row(page, 2) == ["2. Degradation", "yes", "0 of 1", *row(page, 2)[3:-1], "1 of 5"]
    page.go_back()
    page.get_by_label("I have solved exercise 2.1").uncheck()
    assert kept(page) == {"read.02": "1"}


def test_without_storage_a_box_lasts_as_long_as_the_page(page: Page, address: str) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
    )
    page.goto(address + CHAPTER)
    box = page.get_by_label("I have read this chapter")
    box.check()
    expect(page.locator(".rl-finish")).to_contain_text("lasts until you leave the page")
    expect(box).to_be_checked()
    page.goto(address + PROGRESS)
    assert row(page, 2)[1] == "not yet"


def test_without_scripts_there_are_no_boxes(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + CHAPTER)
    assert page.locator("input[data-mark]:visible").count() == 0
    page.goto(address + PROGRESS)
    expect(page.get_by_text("This page needs JavaScript")).to_be_visible()
    expect(page.locator("#rl-file")).to_be_hidden()
    context.close()


# ------------------------------------------------------------------------------------- the page


def test_it_shows_what_is_kept_and_nothing_else(page: Page, address: str) -> None:
    keep(page, address, MANY)
    assert row(page, 1)[1] == "yes"
    assert row(page, 2)[1:3] == ["not yet", "1 of 1"]
    assert row(page, 2)[-1] == "2 of 5"
    said = page.locator("#rl-predicted")
    assert said.locator("dt").count() == 3
    expect(said).to_contain_text("You: 8 layers: 10 %, 20 layers: 20 %")
    expect(said).to_contain_text("You: 12.5 %")
    expect(said).to_contain_text("Measured: ")
    said.get_by_role("link", name="How does the training error").click()
    expect(page.locator("[id='rl-predict-2.depth']")).to_be_in_viewport()


def test_an_empty_browser_has_an_empty_page(page: Page, address: str) -> None:
    page.goto(address + PROGRESS)
    for chapter in range(1, len(CHAPTERS) + 1):
        cells = row(page, chapter)[1:]
        assert cells[0] == "not yet"
        assert all(cell.startswith("0 of ") for cell in cells[1:])
    expect(page.locator("#rl-predicted")).to_have_text(
        "None yet. Part 2 of each chapter asks for one."
    )
    expect(page.locator(".rl-without")).to_have_count(0)


HOSTILE = "<img src=x onerror=window.planted=1><script>window.planted=1</script>"


@pytest.mark.parametrize(
    "planted",
    [HOSTILE, "[1,2,3]", f'["{HOSTILE}",1,2,3]', "1e400", "__proto__", "{}", "", "x" * 100_000],
)
def test_what_storage_holds_is_not_trusted(page: Page, address: str, planted: str) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    keys = [*MANY, "read.02", "read.99", f"exercise.{HOSTILE}", "quiz.1.product", "prediction.x"]
    keep(page, address, dict.fromkeys(keys, planted))
    for chapter in range(1, len(CHAPTERS) + 1):
        cells = row(page, chapter)[1:]
        assert cells[0] == "not yet"
        assert all(cell.startswith("0 of ") for cell in cells[1:])
    assert page.locator("article img, #rl-predicted dt").count() == 0
    page.goto(address + CHAPTER)
    assert page.locator("input[data-mark]:checked").count() == 0
    assert page.evaluate("window.planted") is None
    assert not errors


# ----------------------------------------------------------------------------------------- file


def test_a_saved_file_can_be_read_in_elsewhere(
    page: Page, address: str, browser: Browser, save: Callable[[], Path]
) -> None:
    keep(page, address, MANY | {"prediction.4.directions": "nonsense", "other": "1"})
    page.get_by_label("Name in the file").fill("Ada <b>L</b>")
    path = save()
    assert path.name == "residual-course-ada-b-l-b-.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert (content["format"], content["version"]) == ("residual-course", 1)
    assert content["name"] == "Ada <b>L</b>"
    assert content["predictions"] == {
        "2.depth": [10, 20, 30, 40],
        "4.flops": 12.5,
        "5.gate": "higher",
    }
    assert content["exercises"] == {"2.1": "passed", "2.3": "passed"}
    assert content["read"] == {"01": "1"}
    assert content["questions"]["2.depth"]["names"][0] == "8 layers"
    assert len(content["questions"]["2.depth"]["measured"]) == 4
    context = browser.new_context()
    other = context.new_page()
    other.goto(address + PROGRESS)
    other.locator("#rl-import").set_input_files(path)
    expect(other.locator("#rl-file-says")).to_have_text("Read in: 6 entries.")
    assert kept(other) == MANY
    assert row(other, 2) == row(page, 2)
    context.close()


def test_without_a_name_the_file_has_none(
    page: Page, address: str, save: Callable[[], Path]
) -> None:
    keep(page, address, {})
    path = save()
    assert path.name == "residual-course.json"
    assert "name" not in json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "Nothing read: this isn't a file of the course."),
        ("null", "Nothing read: this isn't a file of the course."),
        ({"format": HOSTILE}, "Nothing read: this isn't a file of the course."),
        ({"format": "residual-course", "version": 9}, "of another version"),
        (" " * 1_000_001, "larger than 1 MB"),
        ({"format": "residual-course", "version": 1}, "Read in: 0 entries."),
        (
            {
                "format": "residual-course",
                "version": 1,
                "name": HOSTILE,
                "predictions": {"2.depth": [HOSTILE] * 4, "4.flops": HOSTILE, HOSTILE: 1},
                "exercises": {"2.1": HOSTILE, "__proto__": "passed", "2.2": "passed"},
                "read": "1",
                "quizzes": [HOSTILE],
                "questions": {"2.depth": {"question": HOSTILE}},
            },
            "Read in: 1 entry.",
        ),
    ],
)
def test_a_file_from_anybody_is_only_data(
    page: Page, address: str, tmp_path: Path, content: object, says: str
) -> None:
    keep(page, address, {"read.01": "1"})
    read_in(page, tmp_path, content)
    expect(page.locator("#rl-file-says")).to_contain_text(says)
    taken = {"exercise.2.2": "passed"} if says == "Read in: 1 entry." else {}
    assert kept(page) == {"read.01": "1"} | taken
    assert page.locator("article img").count() == 0
    assert page.evaluate("window.planted") is None


def test_clearing_asks_first(page: Page, address: str) -> None:
    keep(page, address, MANY)
    page.evaluate("localStorage.setItem('mode', 'dark')")
    clear = page.get_by_role("button", name="Clear everything")
    clear.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    clear.click()
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Enter")
    assert kept(page) == MANY
    clear.click()
    dialog.get_by_role("button", name="Clear it").click()
    expect(page.locator("#rl-file-says")).to_contain_text("Cleared")
    assert kept(page) == {}
    assert page.evaluate("localStorage.getItem('mode')") == "dark"
    assert row(page, 1)[1] == "not yet"


def test_the_page_can_be_touched(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=NARROW, has_touch=True)
    page = context.new_page()
    page.goto(address + PROGRESS)
    targets = page.locator("#rl-file :is(button, input[type=text]):visible")
    assert targets.count() == 4
    assert min(each.bounding_box()["height"] for each in targets.all()) >= 44
    page.goto(address + CHAPTER)
    labels = page.locator(".rl-mark label")
    assert min(each.bounding_box()["height"] for each in labels.all()) >= 44
    context.close()


def test_what_is_drawn_on_a_page_ends_in_a_lecture(
    page: Page, address: str, save: Callable[[], Path], tmp_path: Path
) -> None:
    page.goto(address + CHAPTER)
    form = page.locator("[id='rl-predict-2.depth']")
    form.get_by_role("slider").first.press("PageUp")
    form.get_by_role("button").click()
    page.goto(address + PROGRESS)
    out = tmp_path / "lecture"
    command = [sys.executable, "-m", "residual_lib", "class", str(save()), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "percentage points from the measured curve" in done.stdout
    assert (out / "2.depth.png").stat().st_size > 10_000

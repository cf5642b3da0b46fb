"""The page of all questions: chosen among, shuffled, answered, printed, and taken along."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
from conftest import HTML, NARROW, ROOT, pages
from playwright.sync_api import Browser, Locator, Page, expect

sys.path.insert(0, str(ROOT / "book"))

from builder.quiz import bank
from builder.quiz.exports import FILES

PAGE = "book/questions.html"
CHAPTERS = bank.chapters()
QUESTIONS = [question for chapter in CHAPTERS for question in chapter.questions]
SCRIPT_KB = 6
# The questions that are seen, in the order in which they are seen.
SHOWN = """() => [...document.querySelectorAll("form[data-quiz]")]
  .filter((form) => form.checkVisibility()).map((form) => form.dataset.quiz)"""


def shown(page: Page) -> list[str]:
    return page.evaluate(SHOWN)


def ids(chosen: object = lambda question: True) -> list[str]:
    return [question.id for question in QUESTIONS if chosen(question)]


def form_of(page: Page, id: str) -> Locator:
    return page.locator(f"form[data-quiz='{id}']")


def field(page: Page, name: str) -> Locator:
    return page.get_by_role("combobox", name=name, exact=True)


def answer(page: Page, question: bank.Question, right: bool) -> None:
    form = form_of(page, question.id)
    if question.choices:
        place = [choice.right for choice in question.choices].index(right)
        form.locator(".rl-choices label").nth(place).click()
        form.get_by_role("button", name="Check").click()
    elif question.number:
        value = question.number.value if right else question.wrong[0].answer
        form.locator("input").fill(f"{value:.10g}")
        form.get_by_role("button", name="Check").click()
    else:
        form.locator("summary").click()
        form.get_by_role("button", name="Yes" if right else "Not yet").click()
    expect(form).to_have_attribute("data-answered", "right" if right else "wrong")


def counts(page: Page, number: int) -> None:
    expect(page.locator(".rl-count")).to_contain_text(f"{number} of {len(QUESTIONS)} questions.")


@pytest.fixture
def opened(page: Page, address: str) -> Page:
    page.goto(address + PAGE)
    return page


def test_it_has_every_question_of_every_chapter(opened: Page) -> None:
    assert shown(opened) == ids()
    counts(opened, len(QUESTIONS))
    heads = opened.locator(".rl-group h2").all_text_contents()
    assert [head.strip() for head in heads] == [each.title for each in CHAPTERS]
    expect(opened.locator("article")).to_contain_text(f"{len(QUESTIONS)} questions: ")


def test_its_script_is_small_and_no_other_page_has_it() -> None:
    assert (HTML / "_static" / "bank.js").stat().st_size < 1000 * SCRIPT_KB
    having = [path for path in pages() if "bank.js" in (HTML / path).read_text(encoding="utf-8")]
    assert having == [PAGE]


@pytest.mark.parametrize(
    ("label", "option", "fits"),
    [
        ("Chapter", CHAPTERS[2].title, lambda q: q.chapter == 3),
        ("Level", "Hard", lambda q: q.level == "hard"),
        ("Kind", "Code", lambda q: q.kind == "code"),
        ("Kind", "Derivation", lambda q: q.kind == "derivation"),
        ("Your answer", "Not answered yet", lambda q: True),
        ("Your answer", "Right", lambda q: False),
    ],
)
def test_a_choice_shows_what_fits(opened: Page, label: str, option: str, fits: object) -> None:
    field(opened, label).select_option(option)
    expected = ids(fits)
    assert shown(opened) == expected
    if expected:
        counts(opened, len(expected))
    else:
        expect(opened.locator(".rl-count")).to_have_text("No question fits this choice.")
    headed = opened.locator(".rl-group:visible").count()
    assert headed == len({id.split(".")[0] for id in expected})
    opened.get_by_role("button", name="Show all").click()
    assert shown(opened) == ids()
    expect(opened.get_by_role("button", name="Show all")).to_be_hidden()


def test_choices_add_up_and_words_are_looked_for(opened: Page) -> None:
    field(opened, "Level").select_option("Medium")
    field(opened, "Kind").select_option("Code")
    assert shown(opened) == ids(lambda q: (q.level, q.kind) == ("medium", "code"))
    opened.get_by_role("button", name="Show all").click()
    opened.get_by_label("Words").fill("  LEAKY   slope ")
    assert shown(opened) == ["1.leaky"]


def test_a_choice_can_be_handed_on_as_an_address(opened: Page, address: str) -> None:
    field(opened, "Chapter").select_option(CHAPTERS[0].title)
    field(opened, "Kind").select_option("Choice")
    expected = shown(opened)
    assert 0 < len(expected) < len(QUESTIONS)
    opened.goto("about:blank")
    opened.goto(f"{address}{PAGE}?chapter=1&kind=choice")
    assert shown(opened) == expected
    opened.goto(f"{address}{PAGE}?chapter=99&kind=__proto__&answered=%3Cb%3E&level&nothing=1")
    assert shown(opened) == ids()


def test_shuffling_keeps_every_question_and_can_be_undone(opened: Page) -> None:
    opened.get_by_role("button", name="Shuffle").click()
    expect(opened.locator(".rl-count")).to_contain_text("Shuffled.")
    mixed = shown(opened)
    assert mixed != ids()
    assert sorted(mixed) == sorted(ids())
    field(opened, "Level").select_option("Hard")
    hard = ids(lambda q: q.level == "hard")
    assert shown(opened) == [id for id in mixed if id in hard]
    opened.get_by_role("button", name="In order").click()
    assert shown(opened) == hard
    opened.get_by_role("button", name="Show all").click()
    assert shown(opened) == ids()


def test_an_answer_counts_on_both_pages(opened: Page, address: str) -> None:
    chapter = CHAPTERS[2]
    here, there = chapter.questions[:2]
    answer(opened, here, right=False)
    opened.goto(f"{address}chapters/{chapter.name}.html")
    expect(form_of(opened, here.id)).to_have_attribute("data-result", "wrong")
    answer(opened, there, right=True)
    opened.goto(address + PAGE)
    expect(form_of(opened, there.id)).to_have_attribute("data-result", "right")
    expect(opened.locator(".rl-score")).to_have_text(f"1 of {len(QUESTIONS)} right, 2 answered.")
    state = field(opened, "Your answer")
    state.select_option("Right")
    assert shown(opened) == [there.id]
    state.select_option("Answered wrong")
    assert shown(opened) == [here.id]
    state.select_option("Not answered yet")
    assert shown(opened) == ids(lambda q: q not in (here, there))


def test_an_answer_given_meanwhile_on_another_page_arrives(opened: Page, address: str) -> None:
    chapter = CHAPTERS[2]
    other = opened.context.new_page()
    other.goto(f"{address}chapters/{chapter.name}.html")
    answer(other, chapter.questions[0], right=True)
    expect(form_of(opened, chapter.questions[0].id)).to_have_attribute("data-result", "right")


def test_what_is_answered_stays_until_the_choice_changes(opened: Page) -> None:
    field(opened, "Your answer").select_option("Not answered yet")
    question = QUESTIONS[0]
    answer(opened, question, right=False)
    assert question.id in shown(opened)
    field(opened, "Level").select_option(question.level.capitalize())
    assert question.id not in shown(opened)


def test_answers_are_forgotten_after_a_question_only(opened: Page) -> None:
    first, second = CHAPTERS[0].questions[0], CHAPTERS[2].questions[0]
    forget = opened.get_by_role("button", name="Forget my answers to these")
    expect(forget).to_be_hidden()
    for question in (first, second):
        answer(opened, question, right=True)
    field(opened, "Chapter").select_option(CHAPTERS[0].title)
    forget.click()
    expect(opened.get_by_role("dialog", name="Forget your answer to one question?")).to_be_visible()
    opened.get_by_role("button", name="Keep them").click()
    expect(form_of(opened, first.id)).to_have_attribute("data-answered", "right")
    forget.click()
    opened.get_by_role("button", name="Forget them").click()
    expect(form_of(opened, first.id)).not_to_have_attribute("data-answered", "right")
    expect(forget).to_be_hidden()
    opened.reload()
    expect(form_of(opened, first.id)).not_to_have_attribute("data-answered", "right")
    expect(form_of(opened, second.id)).to_have_attribute("data-answered", "right")


def test_the_keyboard_is_enough(opened: Page) -> None:
    field(opened, "Chapter").focus()
    opened.keyboard.press("ArrowDown")
    assert shown(opened) == ids(lambda q: q.chapter == 1)
    names = []
    for _ in range(9):
        opened.keyboard.press("Tab")
        names.append(opened.evaluate("document.activeElement.textContent"))
        if names[-1] == "Shuffle":
            break
    assert names[-1] == "Shuffle"
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("button", name="In order")).to_be_visible()
    assert opened.evaluate("document.activeElement.textContent") == "Shuffle"


def test_every_reply_is_the_one_of_the_chapter(opened: Page, address: str) -> None:
    here = opened.evaluate("""() => Object.fromEntries([...document.querySelectorAll("[data-quiz]")]
        .map((form) => [form.dataset.quiz, [...form.querySelectorAll(".rl-case, .rl-asked")]
        .map((each) => each.textContent)]))""")
    for chapter in CHAPTERS:
        opened.goto(f"{address}chapters/{chapter.name}.html")
        for question in chapter.questions:
            pieces = form_of(opened, question.id).locator(".rl-case, .rl-asked")
            assert pieces.all_text_contents() == here[question.id]


def test_without_javascript_everything_can_be_read(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + PAGE)
    expect(page.locator(".rl-controls")).to_be_hidden()
    expect(page.locator(".rl-without")).to_be_visible()
    assert page.locator(".rl-question:visible").count() == len(QUESTIONS)
    form = page.locator(".rl-question").first
    form.locator("summary").click()
    expect(form.locator(".rl-case").first).to_be_visible()
    context.close()


def test_what_is_chosen_is_printed_with_answers_or_without(opened: Page) -> None:
    field(opened, "Kind").select_option("Code")
    chosen = shown(opened)
    opened.emulate_media(media="print")
    assert shown(opened) == chosen
    for screen_only in (".rl-controls", ".rl-take", ".rl-sums"):
        expect(opened.locator(screen_only)).to_be_hidden()
    expect(opened.locator(".rl-quiz button:visible")).to_have_count(0)
    for id in chosen:
        expect(form_of(opened, id).locator(".rl-case").first).to_be_visible()
    opened.emulate_media(media="screen")
    opened.get_by_label("with answers").uncheck()
    opened.emulate_media(media="print")
    for id in chosen:
        expect(form_of(opened, id).locator(".rl-asked")).to_be_visible()
        expect(form_of(opened, id).locator(".rl-answer")).to_be_hidden()


def test_targets_are_large_enough_for_a_finger(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=NARROW, has_touch=True)
    page = context.new_page()
    page.goto(address + PAGE)
    targets = page.locator(".rl-controls :is(button, select, label, input[type=search]):visible")
    boxes = [target.bounding_box() for target in targets.all()]
    assert min(box["height"] for box in boxes) >= 44
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    context.close()


def test_the_files_are_there_and_as_the_questions_are(opened: Page, tmp_path: Path) -> None:
    links = opened.locator(".rl-downloads a")
    assert links.count() == len(FILES)
    for link in links.all():
        with opened.expect_download() as started:
            link.click()
        path = tmp_path / started.value.suggested_filename
        started.value.save_as(path)
        assert path.name in FILES
        assert path.read_bytes() == (HTML / "questions" / path.name).read_bytes()
    gift = (tmp_path / "residual-connections.gift.txt").read_text(encoding="utf-8")
    assert [f"::{id}::" in gift for id in ids()] == [True] * len(QUESTIONS)
    with zipfile.ZipFile(tmp_path / "residual-connections-qti.zip") as archive:
        assert len(archive.namelist()) == 1 + len(CHAPTERS)

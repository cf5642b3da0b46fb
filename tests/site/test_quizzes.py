"""Quizzes on the built pages: they reply, keep answers, and can be read without a script."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from conftest import HTML, NARROW, ROOT, pages
from playwright.sync_api import Browser, Locator, Page, expect

sys.path.insert(0, str(ROOT / "book"))

from builder.quiz import bank

CHAPTERS = [path for path in pages() if path.startswith("chapters/")]
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: Path(path).stem)
BANK = "book/questions.html"
STORED = "Object.fromEntries(Object.entries(localStorage).filter(([k]) => k.includes('.quiz.')))"
SCRIPT_KB = 6


def questions(path: str) -> tuple[bank.Question, ...]:
    name = Path(path).stem
    return bank.load(
        ROOT / "book" / "questions" / f"{name}.yml", ROOT / "chapters" / f"{name}.ipynb"
    )


def form_of(page: Page, question: bank.Question) -> Locator:
    return page.locator(f"form[data-quiz='{question.id}']")


def choose(form: Locator, answer: float) -> None:
    """Pick the choice at that place, or write that number; then check it."""
    radios = form.locator("input[type=radio]")
    if radios.count():
        form.locator(".rl-choices label").nth(int(answer)).click()
    else:
        form.locator("input[type=number]").fill(f"{answer:.10g}")
    form.get_by_role("button", name="Check").click()


def answers(question: bank.Question) -> tuple[float, list[float]]:
    """The right answer and the wrong ones, as `choose` takes them."""
    if question.number:
        return question.number.value, [wrong.answer for wrong in question.wrong]
    places = range(len(question.choices))
    right = next(place for place in places if question.choices[place].right)
    return right, [place for place in places if place != right]


def checked(path: str) -> list[bank.Question]:
    return [question for question in questions(path) if question.choices or question.number]


def marked(path: str) -> list[bank.Question]:
    return [question for question in questions(path) if question not in checked(path)]


def body(page: Page) -> str:
    """The quiz as it stands in the page, the inputs' states included."""
    return page.locator(".rl-quiz").evaluate(
        "quiz => quiz.innerHTML + [...quiz.querySelectorAll('input')].map(i => i.checked + i.value)"
    )


def test_every_chapter_has_a_quiz_and_no_other_page_loads_its_script() -> None:
    assert CHAPTERS
    for path in pages():
        html = BeautifulSoup((HTML / path).read_text(encoding="utf-8"), "lxml")
        scripts = [tag for tag in html.find_all("script", src=True) if "quiz.js" in tag["src"]]
        assert len(scripts) == (path in (*CHAPTERS, BANK)), path
        if path != BANK:  # which test_question_bank.py looks at
            shown = [form["data-quiz"] for form in html.select(".rl-quiz form")]
            assert shown == ([q.id for q in questions(path)] if path in CHAPTERS else []), path


def test_script_is_small() -> None:
    assert (HTML / "_static" / "quiz.js").stat().st_size < 1000 * SCRIPT_KB


@each_chapter
def test_each_wrong_answer_gets_its_reason_and_the_right_one_the_explanation(
    page: Page, address: str, path: str
) -> None:
    page.goto(address + path)
    for question in checked(path):
        form = form_of(page, question)
        reply, folded = form.locator(".rl-reply"), form.locator("details")
        expect(reply).to_be_empty()
        expect(folded).to_be_hidden()
        right, wrong = answers(question)
        seen = set()
        for answer in wrong:
            choose(form, answer)
            expect(reply).to_contain_text("No.")
            seen.add(reply.inner_text())
            expect(folded).to_be_visible()
            expect(folded).not_to_have_attribute("open", "")
        assert len(seen) == len(wrong)
        choose(form, right)
        expect(reply).to_contain_text("Right.")
        why = form.locator(".rl-case[data-right] .rl-why")
        assert reply.text_content() == "Right." + why.text_content()
    for question in marked(path):
        form = form_of(page, question)
        form.locator("summary").click()
        form.get_by_role("button", name="Not yet").click()
        expect(form.locator(".rl-reply")).to_contain_text("not yet")
        form.get_by_role("button", name="Yes").click()
        expect(form.locator(".rl-reply")).to_contain_text("as right")
    count = len(questions(path))
    expect(page.locator(".rl-score")).to_have_text(f"{count} of {count} right, {count} answered.")


def test_a_number_counts_within_its_tolerance_and_another_says_where_to_go(
    page: Page, address: str
) -> None:
    for path in CHAPTERS:
        page.goto(address + path)
        for question in checked(path):
            if not question.number:
                continue
            form, number = form_of(page, question), question.number
            reply = form.locator(".rl-reply")
            for edge in (-number.tolerance, number.tolerance):
                choose(form, number.value + edge)
                expect(reply).to_contain_text("Right.")
            known = [number.value, *(wrong.answer for wrong in question.wrong)]
            choose(form, max(known) + 10 * number.tolerance + 1)
            expect(reply).to_have_text("No. The answer is smaller.")
            choose(form, min(known) - 10 * number.tolerance - 1)
            expect(reply).to_have_text("No. The answer is larger.")


@each_chapter
def test_the_keyboard_is_enough(page: Page, address: str, path: str) -> None:
    page.goto(address + path)
    for question in questions(path):
        form = form_of(page, question)
        if question in marked(path):
            form.locator("summary").focus()
            page.keyboard.press("Enter")
            # What stands between the summary and the buttons is the link to the section.
            for _ in range(2 + form.locator("details a").count()):
                page.keyboard.press("Tab")
                if page.evaluate("document.activeElement.value") == "yes":
                    break
        else:
            first = form.locator("input").first
            first.focus()
            if question.choices:
                page.keyboard.press("Space")
                for _ in range(int(answers(question)[0])):
                    page.keyboard.press("ArrowDown")
            else:
                page.keyboard.type(f"{question.number.value:.10g}")
        page.keyboard.press("Enter")
        expect(form).to_have_attribute("data-result", "right")


@each_chapter
def test_answers_come_back_and_can_be_forgotten(page: Page, address: str, path: str) -> None:
    page.goto(address + path)
    fresh = body(page)
    for question in checked(path):
        choose(form_of(page, question), answers(question)[1][0])
    for question in marked(path):
        form_of(page, question).locator("summary").click()
        form_of(page, question).get_by_role("button", name="Yes").click()
    kept = {name: json.loads(value) for name, value in page.evaluate(STORED).items()}
    for question in questions(path):
        expected = {"answer": "yes", "right": True}
        if question in checked(path):
            expected = {"answer": answers(question)[1][0], "right": False}
        assert kept.pop(f"residual-course.quiz.{question.id}") == expected
    assert not kept
    replies = page.locator(".rl-reply").all_inner_texts()
    score = page.locator(".rl-score").inner_text()
    page.reload()
    assert page.locator(".rl-reply").all_inner_texts() == replies
    expect(page.locator(".rl-score")).to_have_text(score)
    page.get_by_role("button", name="Start again").click()
    assert page.evaluate(STORED) == {}
    assert body(page) == fresh
    assert page.evaluate("document.activeElement.closest('form') !== null")


def test_a_reply_goes_when_the_answer_changes(page: Page, address: str) -> None:
    path = CHAPTERS[0]
    page.goto(address + path)
    question = next(question for question in checked(path) if question.choices)
    form = form_of(page, question)
    choose(form, 0)
    expect(form.locator(".rl-reply")).not_to_be_empty()
    form.locator("input").nth(1).check()
    expect(form.locator(".rl-reply")).to_be_empty()
    # The answer that was folded out for reading doesn't go with it.
    expect(form.locator("details")).to_be_visible()


HOSTILE = [
    "<img src=x onerror='window.planted = 1'>",
    '{"answer": "<img src=x onerror=window.planted=1>", "right": true}',
    '{"answer": 99, "right": true}',
    '{"answer": -1}',
    '{"answer": 0.5}',
    '{"answer": "0"}',
    '{"answer": [0]}',
    '{"answer": {"toString": "yes"}}',
    '{"answer": "__proto__"}',
    '{"answer": "constructor"}',
    '{"answer": null}',
    "null",
    "1",
    "{",
    "",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_what_storage_holds_is_never_trusted(page: Page, address: str, value: str) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    path = next(path for path in CHAPTERS if marked(path))
    choices = [question for question in questions(path) if not question.number]
    page.goto(address + path)
    fresh = body(page)
    for question in choices:
        name = f"residual-course.quiz.{question.id}"
        page.evaluate("([name, value]) => localStorage.setItem(name, value)", [name, value])
    page.reload()
    assert body(page) == fresh
    assert page.evaluate("window.planted") is None
    assert not errors


def test_a_stored_verdict_is_judged_anew(page: Page, address: str) -> None:
    path = CHAPTERS[0]
    question = checked(path)[0]
    page.goto(address + path)
    page.evaluate(
        "([name, value]) => localStorage.setItem(name, value)",
        [
            f"residual-course.quiz.{question.id}",
            json.dumps({"answer": answers(question)[1][0], "right": True}),
        ],
    )
    page.reload()
    expect(form_of(page, question)).to_have_attribute("data-result", "wrong")


def test_it_answers_where_storage_is_refused(page: Page, address: str) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused') } })"
    )
    path = CHAPTERS[0]
    page.goto(address + path)
    question = checked(path)[0]
    choose(form_of(page, question), answers(question)[0])
    expect(form_of(page, question).locator(".rl-reply")).to_contain_text("Right.")
    expect(page.locator(".rl-kept")).to_contain_text("stores nothing")


@each_chapter
def test_without_javascript_questions_and_folded_answers_can_be_read(
    browser: Browser, address: str, path: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + path)
    expect(page.locator(".rl-quiz .rl-without")).to_be_visible()
    for question in questions(path):
        form = form_of(page, question)
        expect(form.locator(".rl-asked")).to_be_visible()
        expect(form.locator("button:visible")).to_have_count(0)
        cases = form.locator(".rl-case")
        expect(cases.first).to_be_hidden()
        form.locator("summary").click()
        expect(cases.first).to_be_visible()
        assert cases.count() == max(len(question.choices), 1 + len(question.wrong))
    context.close()


def test_print_shows_every_answer_and_no_button(page: Page, address: str) -> None:
    page.goto(address + CHAPTERS[0])
    page.emulate_media(media="print")
    for form in page.locator(".rl-question").all():
        expect(form.locator(".rl-case").first).to_be_visible()
    expect(page.locator(".rl-quiz button:visible")).to_have_count(0)


def test_targets_are_large_enough_for_a_finger(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=NARROW, has_touch=True)
    page = context.new_page()
    for path in CHAPTERS:
        page.goto(address + path)
        for summary in page.locator(".rl-question summary:visible").all():
            summary.click()
        targets = page.locator(
            ".rl-choices label, .rl-number input, .rl-quiz button:visible, .rl-quiz summary:visible"
        )
        boxes = [target.bounding_box() for target in targets.all()]
        assert boxes
        assert min(box["height"] for box in boxes) >= 44
        assert min(box["width"] for box in boxes) >= 44
    context.close()

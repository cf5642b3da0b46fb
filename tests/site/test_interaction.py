"""What answers on a page: explorers, predictions, search, the theme's buttons."""

from __future__ import annotations

import json

import pytest
from bs4 import BeautifulSoup
from conftest import HTML, pages
from playwright.sync_api import Browser, Locator, Page, expect


def _having(selector: str) -> list[str]:
    return [
        path
        for path in pages()
        if BeautifulSoup((HTML / path).read_text(encoding="utf-8"), "lxml").select(selector)
    ]


WITH_EXPLORER = _having(".rl-explorer")
WITH_PREDICTION = _having(".rl-predict")


def _frame(explorer: Locator) -> str:
    """The drawing as it stands in the page, without the sentence below it."""
    return explorer.locator(".rl-figure").inner_html()


def _words(page: Page) -> set[str]:
    """Words of a page's text as it stands now, whether in view or not."""
    article = BeautifulSoup(page.content(), "lxml").select_one("article")
    for tag in article.select("script, style, noscript"):
        tag.decompose()
    return set(article.get_text(" ").split())


def test_landing_page_and_chapters_have_explorers() -> None:
    assert "index.html" in WITH_EXPLORER
    chapters = {path for path in pages() if path.startswith("chapters/")}
    assert chapters
    assert chapters <= set(WITH_EXPLORER)


def test_explorers_ask_answer_and_bring_their_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights = []
    for path in WITH_EXPLORER:
        soup = BeautifulSoup((HTML / path).read_text(encoding="utf-8"), "lxml")
        names = [explorer["data-name"] for explorer in soup.select(".rl-explorer")]
        assert len(names) == len(set(names)), path
        for explorer in soup.select(".rl-explorer"):
            assert explorer.select_one(".rl-asks").get_text().count("?") >= 1
            answer = explorer.select_one("details.rl-answer:not([open]) p").get_text()
            assert any(letter.isdigit() for letter in answer), answer
            assert "nan" not in answer
            held = json.loads(explorer.find("script", type="application/json").string)
            assert all(tables and all(tables) for tables in held["tables"])
            assert len(held["tables"]) == len(held["runs"]) <= 200
            weights.append((len(str(explorer).encode()) / 1024, path, explorer["data-name"]))
    with capsys.disabled():
        print("\nexplorers, uncompressed:")
        for weight, path, name in weights:
            print(f"  {weight:5.0f} KB  {path}  {name}")
    assert [each for each in weights if each[0] > 250] == []


@pytest.mark.parametrize("path", WITH_EXPLORER)
def test_every_control_answers_to_the_keyboard(page: Page, address: str, path: str) -> None:
    page.goto(address + path)
    for explorer in page.locator(".rl-explorer").all():
        controls = explorer.locator("input[type=range], input[type=checkbox], select")
        radios = explorer.locator("fieldset:has(input[type=radio])")
        assert controls.count() + radios.count() > 0
        seen = {_frame(explorer)}
        for control in controls.all():
            before, says = _frame(explorer), explorer.locator(".rl-says").inner_text()
            control.focus()
            kind = control.evaluate("e => e.type")
            page.keyboard.press({"range": "ArrowRight", "checkbox": "Space"}.get(kind, "ArrowDown"))
            if _frame(explorer) == before and kind == "range":
                page.keyboard.press("ArrowLeft")  # it may start at its end
            expect(explorer.locator(".rl-says")).not_to_have_text(says)
            assert _frame(explorer) != before
            seen.add(_frame(explorer))
        for group in radios.all():
            before = _frame(explorer)
            group.locator("input:checked").focus()
            page.keyboard.press("ArrowDown")
            assert _frame(explorer) != before
            seen.add(_frame(explorer))
        assert len(seen) > 1


@pytest.mark.parametrize("path", WITH_EXPLORER)
def test_every_explorer_answers_to_the_mouse(page: Page, address: str, path: str) -> None:
    page.goto(address + path)
    for explorer in page.locator(".rl-explorer").all():
        before = _frame(explorer)
        ranges, boxes = explorer.locator("input[type=range]"), explorer.locator("input[type=radio]")
        if ranges.count():
            slider = ranges.first
            slider.scroll_into_view_if_needed()
            box = slider.bounding_box()
            start = slider.evaluate("e => e.value == e.max")
            x = 4 if start else box["width"] - 4
            # A click waits until the page has stopped moving: what is above is laid out late.
            slider.click(position={"x": x, "y": box["height"] / 2})
        elif boxes.count():
            explorer.locator("input[type=radio]:not(:checked)").first.click()
        elif (menu := explorer.locator("select")).count():
            chosen = menu.first.evaluate("e => e.selectedIndex")
            menu.first.select_option(index=0 if chosen else 1)
        else:
            explorer.locator("input[type=checkbox]").first.click()
        assert _frame(explorer) != before


@pytest.mark.parametrize("path", WITH_EXPLORER)
def test_explorers_on_a_page_leave_each_other_alone(page: Page, address: str, path: str) -> None:
    page.goto(address + path)
    explorers = page.locator(".rl-explorer").all()
    before = [_frame(explorer) for explorer in explorers]
    control = explorers[0].locator("input, select").first
    control.focus()
    kind = control.evaluate("e => e.type")
    page.keyboard.press({"range": "ArrowRight", "checkbox": "Space"}.get(kind, "ArrowDown"))
    assert [_frame(explorer) for explorer in explorers[1:]] == before[1:]


@pytest.mark.parametrize("path", WITH_EXPLORER)
def test_tools_answer_to_the_keyboard_and_a_link_leads_back(
    page: Page, address: str, path: str
) -> None:
    page.goto(address + path)
    for explorer in page.locator(".rl-explorer").all():
        first = _frame(explorer)
        for button in explorer.locator(".rl-play").all():
            button.press("Enter")
            expect(button).to_have_attribute("aria-pressed", "true")
            button.press("Enter")
            expect(button).to_have_attribute("aria-pressed", "false")
        control = explorer.locator("input, select").first
        control.focus()
        kind = control.evaluate("e => e.type")
        page.keyboard.press({"range": "ArrowRight", "checkbox": "Space"}.get(kind, "ArrowDown"))
        says = explorer.locator(".rl-says").inner_text()
        explorer.locator(".rl-answer summary").press("Enter")
        expect(explorer.locator(".rl-answer p")).to_be_visible()
        explorer.locator(".rl-more summary").press("Enter")
        expect(explorer.locator(".rl-table td").first).to_be_visible()
        explorer.locator("[data-do=link]").press("Enter")
        other = page.context.new_page()
        other.goto(page.url)
        there = other.locator(f'[data-name="{explorer.get_attribute("data-name")}"]')
        expect(there.locator(".rl-says")).to_have_text(says)
        expect(there.locator(".rl-title")).to_be_in_viewport()
        other.close()
        explorer.locator("[data-do=reset]").press("Enter")
        assert _frame(explorer) == first


def test_a_hostile_link_changes_nothing(page: Page, address: str) -> None:
    page.goto(address)
    says = page.locator(".rl-explorer .rl-says").inner_text()
    name = page.locator(".rl-explorer").get_attribute("data-name")
    for state in ("depth=57", "depth=<img src=x onerror=alert(1)>", "__proto__=1;skip=%E0%A4%A"):
        other = page.context.new_page()
        other.on("pageerror", lambda error: pytest.fail(str(error)))
        other.on("dialog", lambda dialog: pytest.fail(dialog.message))
        other.goto(f"{address}#explorer={name};{state}")
        assert other.locator(".rl-explorer .rl-says").inner_text() == says
        other.close()


def test_without_javascript_first_frames_and_text_are_there(browser: Browser, address: str) -> None:
    with_script, without = browser.new_context(), browser.new_context(java_script_enabled=False)
    for path in pages():
        # Made of what a script finds; and the page for wrong addresses has no article.
        if path in ("search.html", "book/progress.html", "404.html"):
            continue
        page, bare = with_script.new_page(), without.new_page()
        page.goto(address + path)
        bare.goto(address + path)
        words = [_words(each) for each in (page, bare)]
        assert len(words[1] & words[0]) > 0.9 * len(words[0]), path
        for explorer, same in zip(
            page.locator(".rl-explorer").all(), bare.locator(".rl-explorer").all(), strict=True
        ):
            expect(same.locator(".rl-figure svg")).to_be_visible()
            says = [each.locator(".rl-says").text_content() for each in (explorer, same)]
            assert says[0] == says[1]
            assert not same.locator("input").first.is_visible()
        page.close()
        bare.close()
    with_script.close()
    without.close()


@pytest.mark.parametrize("path", WITH_PREDICTION)
def test_predictions_survive_a_reload_and_stand_beside_the_result(
    page: Page, address: str, path: str
) -> None:
    page.goto(address + path)
    for form in page.locator(".rl-predict").all():
        if form.locator("input[type=radio]").count():
            form.locator("input[type=radio]").nth(1).check()
        elif form.get_by_role("slider").count():
            form.get_by_role("slider").first.press("Home")
        else:
            field = form.locator("input[type=number]")
            field.fill(field.get_attribute("min") or "1")
        form.locator("button[type=submit]").click()
        expect(form.locator(".rl-says")).to_contain_text("Kept: ")
    recalled = page.locator(".rl-recall").all_text_contents()
    page.reload()
    for form in page.locator(".rl-predict").all():
        if form.locator("input[type=radio]").count():
            expect(form.locator("input[type=radio]").nth(1)).to_be_checked()
        elif form.get_by_role("slider").count():
            handle = form.get_by_role("slider").first
            expect(handle).to_have_attribute(
                "aria-valuenow", handle.get_attribute("aria-valuemin") or ""
            )
        else:
            field = form.locator("input[type=number]")
            expect(field).to_have_value(field.get_attribute("min") or "1")
    assert page.locator(".rl-recall").all_text_contents() == recalled
    fresh = page.context.browser.new_context()
    other = fresh.new_page()
    other.goto(address + path)
    if recalled:
        assert other.locator(".rl-recall").all_text_contents() != recalled
    fresh.close()


def test_search_finds_a_word_and_leads_to_its_page(page: Page, address: str) -> None:
    page.goto(address + "search.html?q=orthogonal")
    results = page.locator("#search-results ul.search li a")
    expect(results.first).to_be_visible()
    titles = results.all_inner_texts()
    assert any("Glossary" in title for title in titles)
    results.filter(has_text="Glossary").first.click()
    expect(page.locator("article h1")).to_contain_text("Glossary")


def test_search_field_leads_to_the_search_page(page: Page, address: str) -> None:
    page.goto(address + "book/notation.html")
    page.locator(".bd-sidebar-primary .search-button__button").first.click()
    field = page.locator("dialog[open] input[name=q]")
    field.fill("Jacobian")
    field.press("Enter")
    expect(page.locator("#search-results ul.search li").first).to_be_visible()


def test_matches_of_a_search_can_be_hidden_again(page: Page, address: str) -> None:
    page.goto(address + "book/notation.html?highlight=Jacobian")
    matches = page.locator("article span.highlighted")
    expect(matches.first).to_be_visible()
    page.get_by_role("button", name="Hide Search Matches").click()
    expect(matches).to_have_count(0)


def test_colour_scheme_button_changes_it(page: Page, address: str) -> None:
    page.goto(address)
    seen = set()
    for _ in range(3):
        page.locator(".theme-switch-button").first.click()
        seen.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(seen) == 2


def test_print_button_prints(page: Page, address: str) -> None:
    page.goto(address + "book/notation.html")
    page.evaluate("window.print = () => { window.printed = true }")
    page.evaluate("document.querySelector('[data-action=print]').click()")
    assert page.evaluate("window.printed")


def test_sidebar_opens_on_a_phone(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(address + "book/notation.html")
    link = page.get_by_role("link", name="Claims ledger")
    expect(link).to_be_hidden()
    page.locator("button.primary-toggle:visible").first.click()
    expect(link.first).to_be_visible()
    context.close()

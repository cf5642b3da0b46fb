"""Explorers and predictions in a real Chromium under a strict security policy."""

import base64
import hashlib
import re
import shutil
from pathlib import Path

import pytest

from residual_lib import figures
from residual_lib.explore import Choice, Explorer, Slider, Toggle, page, predict, recall

playwright = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGE = """<!doctype html><html lang="en"{theme}><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Test</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'self'; script-src {hashes};
style-src 'unsafe-inline'; img-src data:"><style>body{{margin:16px;font-family:sans-serif;
color:#222832;background:#fff}}[data-theme=dark]{{color-scheme:dark}}
[data-theme=dark] body{{color:#ced6dd;background:#121212}}</style></head>
<body><main><h1>Test</h1>{body}</main></body></html>"""
ADDRESS = "http://course.test/page.html"


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as running:
        own = running.chromium.executable_path
        path = own if Path(own).exists() else shutil.which("chromium") or shutil.which("chrome")
        if path is None:
            pytest.skip("no Chromium here; `make test-site` installs one")
        browser = running.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


def sha(name):
    digest = hashlib.sha256(page.script(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@pytest.fixture
def visit(chromium):
    """Open a page of the given pieces; fails afterwards on any console error or request."""
    contexts, complaints = [], []

    def open_page(*pieces, theme="", width=1280, init=None, **options):
        body = "".join(piece._repr_html_() for piece in pieces)
        text = PAGE.format(
            body=body, theme=theme, hashes=f"{sha('explorer.js')} {sha('predictions.js')}"
        )
        context = chromium.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        if init:
            context.add_init_script(init)

        def answer(route):
            if route.request.url.split("#")[0] == ADDRESS:
                route.fulfill(body=text, content_type="text/html")
            else:
                complaints.append(route.request.url)
                route.abort()

        context.route("**/*", answer)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(ADDRESS)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


@figures.styled
def render(depth, activation, norm):
    figure, ax = figures.axes(xlabel="layer", ylabel="gradient")
    ax.plot([0, depth], [1, 0.5 if norm else 0.1], "o-", color=figures.SERIES[len(activation) % 6])
    ax.set(xlim=(0, 60), ylim=(0, 1))
    return figure


def says(depth, activation, norm):
    return f"The gradient over {depth} layers of {activation}, norm {norm}."


@pytest.fixture(scope="module")
def shown():
    return Explorer(
        render,
        [
            Slider("depth", [8, 20, 56], unit="layers"),
            Choice("activation", ["relu", "tanh", "sigmoid"]),
            Toggle("norm", "BatchNorm"),
        ],
        title="Gradient by layer",
        alt=says,
    )


def test_mouse_and_keyboard_change_the_frame(visit, shown):
    tab = visit(shown)
    slider, drawing = tab.get_by_label("depth"), tab.locator(".rl-frame")
    assert tab.locator(".rl-says").inner_text() == says(8, "relu", False)
    seen = [drawing.inner_html()]
    slider.focus()
    tab.keyboard.press("ArrowRight")
    assert tab.locator(".rl-value").inner_text() == "20 layers"
    assert slider.get_attribute("aria-valuetext") == "20 layers"
    seen.append(drawing.inner_html())
    tab.keyboard.press("End")
    tab.keyboard.press("Tab")
    tab.keyboard.press("ArrowDown")
    assert tab.get_by_role("radio", name="tanh").is_checked()
    seen.append(drawing.inner_html())
    tab.get_by_label("BatchNorm").click()
    assert tab.locator(".rl-says").inner_text() == says(56, "tanh", True)
    seen.append(drawing.inner_html())
    box = slider.bounding_box()
    tab.mouse.click(box["x"] + 3, box["y"] + box["height"] / 2)
    assert tab.locator(".rl-says").inner_text() == says(8, "tanh", True)
    assert len(set(seen)) == 4
    name = tab.get_by_role("img", name=says(8, "tanh", True))
    assert name.count() == 1


def test_several_on_a_page_do_not_disturb_each_other(visit, shown):
    tab = visit(shown, shown)
    first, second = tab.locator(".rl-explorer").all()
    before = second.inner_html()
    first.get_by_label("sigmoid").check()
    first.get_by_label("depth").press("End")
    assert second.inner_html() == before
    assert first.locator(".rl-says").inner_text() == says(56, "sigmoid", False)
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))


def test_without_scripts_the_first_frame_is_there(visit, shown):
    tab = visit(shown, java_script_enabled=False)
    assert tab.locator(".rl-frame svg").bounding_box()["width"] > 300
    assert tab.get_by_text(says(8, "relu", False)).is_visible()
    assert not tab.locator(".rl-controls").is_visible()
    assert tab.get_by_text("Where scripts run, this figure answers").is_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_can_be_touched(visit, shown, width):
    predict("w", "How large is the training error at 56 layers?", number=(0, 100), unit="%")
    pieces = [predict("v", "Which?", choices=["It falls", "It rises"]), recall("v", "It rises")]
    tab = visit(shown, *pieces, width=width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    targets = tab.locator("input[type=range], label:has(input), select, button")
    assert targets.count() >= 8
    assert min(each.bounding_box()["height"] for each in targets.all()) >= 44
    text = tab.locator(".rl-frame svg text").first
    scale = tab.locator(".rl-frame svg").bounding_box()["width"] / (72 * figures.WIDTH)
    assert float(text.evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)")) * scale >= 10


def colours(tab):
    return tab.evaluate(
        """() => ['text', 'path[style*="--rl-1"], path[style*="--rl-5"]'].map((kind) => {
            const found = document.querySelector('.rl-frame ' + kind);
            const style = getComputedStyle(found);
            return kind === 'text' ? style.fill : style.stroke;
        })"""
    )


def test_dark_pages_have_light_ink(visit, shown):
    light, dark = visit(shown), visit(shown, theme=' data-theme="dark"')
    assert colours(light)[0] == "rgb(34, 40, 50)"
    assert colours(dark)[0] == "rgb(206, 214, 221)"
    assert colours(light)[1] == colours(dark)[1]


def test_print_shows_the_frame_and_the_values(visit, shown):
    tab = visit(shown, theme=' data-theme="dark"')
    tab.get_by_label("depth").press("End")
    tab.emulate_media(media="print")
    assert tab.locator(".rl-frame svg").is_visible()
    assert not tab.get_by_label("depth").is_visible()
    assert tab.locator(".rl-value").inner_text() == "56 layers"
    assert colours(tab)[0] == "rgb(0, 0, 0)"


# ------------------------------------------------------------------------------------- predictions

KEY = "residual-course.prediction."


def number():
    return predict("n", "How large is the error?", number=(0, 100), unit="%")


def choice():
    return predict("c", "What happens?", choices=["It falls", "It rises"])


def test_a_prediction_comes_back_beside_the_measurement(visit):
    tab = visit(number(), recall("n", 68.4))
    yours, verdict = tab.locator(".rl-yours"), tab.locator(".rl-recall .rl-says")
    assert "nothing yet: make your prediction" in yours.inner_text()
    field = tab.get_by_label("Your number")
    field.fill("12.5")
    field.press("Enter")
    assert tab.locator(".rl-predict .rl-says").inner_text().startswith("Kept: 12.5 %.")
    assert yours.inner_text() == "12.5 %"
    wanted = "The measurement is 56 percentage points higher than your prediction."
    assert verdict.inner_text() == wanted
    tab.reload()
    assert yours.inner_text() == "12.5 %"
    assert field.input_value() == "12.5"
    field.fill("68.4")
    tab.get_by_role("button").click()
    assert verdict.inner_text() == "Exactly what was measured."
    field.fill("70")
    tab.get_by_role("button").click()
    assert verdict.inner_text().startswith("The measurement is 1.6 percentage points lower")


def test_a_choice_is_judged(visit):
    tab = visit(choice(), recall("c", "68 % against 8 %", answer="It rises"))
    verdict = tab.locator(".rl-recall .rl-says")
    tab.get_by_label("It falls").focus()
    tab.keyboard.press("Space")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert verdict.inner_text() == "The measurement says otherwise: It rises."
    tab.reload()
    assert tab.get_by_label("It falls").is_checked()
    tab.get_by_label("It rises").check()
    tab.get_by_role("button").press("Space")
    assert verdict.inner_text() == "The measurement agrees with you."


def test_an_empty_or_impossible_answer_is_not_kept(visit):
    tab = visit(number(), choice())
    for button in tab.get_by_role("button").all():
        button.click()
    tab.get_by_label("Your number").fill("101")
    tab.get_by_label("Your number").press("Enter")
    assert tab.evaluate("localStorage.length") == 0


@pytest.mark.parametrize(
    "planted",
    [
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        "101",
        "-1",
        "1e400",
        "NaN",
        "0x10",
        '{"toString":1}',
        "",
        "9" * 100000,
        "__proto__",
    ],
)
def test_what_storage_holds_is_not_trusted(visit, planted):
    text = planted.replace("\\", "\\\\").replace("'", "\\'")
    init = f"for (const id of 'nc') localStorage.setItem('{KEY}' + id, '{text}')"
    tab = visit(number(), choice(), recall("n", 50), recall("c", "It rises"), init=init)
    for yours in tab.locator(".rl-yours").all():
        assert "nothing yet" in yours.inner_text()
    assert tab.locator("img").count() == 0
    assert tab.locator("input:checked").count() == 0


def test_without_storage_it_lasts_as_long_as_the_page(visit):
    init = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
    tab = visit(number(), recall("n", 50), init=init)
    tab.get_by_label("Your number").fill("50")
    tab.get_by_role("button").click()
    assert "lasts until you leave the page" in tab.locator(".rl-predict .rl-says").inner_text()
    assert tab.locator(".rl-yours").inner_text() == "50 %"
    tab.reload()
    assert "nothing yet" in tab.locator(".rl-yours").inner_text()


def test_another_tab_is_heard(visit):
    tab = visit(number(), recall("n", 50))
    other = tab.context.new_page()
    other.goto(ADDRESS)
    other.get_by_label("Your number").fill("7")
    other.get_by_role("button").click()
    playwright.expect(tab.locator(".rl-yours")).to_have_text("7 %")


def test_questions_without_scripts_can_be_read(visit):
    tab = visit(choice(), recall("c", "It rises"), java_script_enabled=False)
    assert tab.get_by_text("What happens?").is_visible()
    assert tab.get_by_role("button").is_disabled()
    assert tab.get_by_text("keep your prediction on paper").is_visible()
    link = tab.get_by_role("link", name="make your prediction")
    target = re.sub(".*#", "", link.get_attribute("href"))
    assert tab.locator(f'[id="{target}"]').count() == 1

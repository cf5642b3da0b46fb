"""Explorers and predictions in a real Chromium under a strict security policy."""

import base64
import hashlib
import io
import itertools
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from PIL import Image

from residual_lib import figures
from residual_lib.explore import Choice, Curve, Explorer, Slider, Toggle, page, predict, recall

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

    def open_page(*pieces, theme="", width=1280, init=None, state="", **options):
        body = "".join(piece._repr_html_() for piece in pieces)
        scripts = ("explorer.js", "curves.js", "predictions.js")
        text = PAGE.format(body=body, theme=theme, hashes=" ".join(map(sha, scripts)))
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
        tab.goto(ADDRESS + state)
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
    figures.keep(figure, pd.DataFrame({"layer, counted": [0, depth], activation: [1, 0.5]}))
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
        question="Where does the gradient go?",
        answer="It falls.",
    )


def test_mouse_and_keyboard_change_the_frame(visit, shown):
    tab = visit(shown)
    slider, drawing = tab.get_by_role("slider"), tab.locator(".rl-frame")
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
    first.get_by_role("slider").press("End")
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
    tab.get_by_text("Data, link, files").click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    targets = tab.locator("input[type=range], label:has(input), select, button, summary")
    assert targets.count() >= 16
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


def test_print_shows_the_frame_its_values_and_where_to_find_it(visit, shown):
    tab = visit(shown, theme=' data-theme="dark"')
    address = tab.locator(".rl-address")
    assert not address.is_visible()
    tab.emulate_media(media="print")
    assert address.inner_text() == f"{ADDRESS}#explorer=gradient-by-layer"
    tab.emulate_media(media="screen")
    tab.get_by_role("slider").press("End")
    tab.emulate_media(media="print")
    assert tab.locator(".rl-frame svg").is_visible()
    assert not tab.locator("input[type=range], .rl-explorer button").first.is_visible()
    assert tab.locator(".rl-value").inner_text() == "56 layers"
    assert colours(tab)[0] == "rgb(0, 0, 0)"
    wanted = f"{ADDRESS}#explorer=gradient-by-layer;depth=56;activation=relu;norm=0"
    assert address.inner_text() == wanted


# ------------------------------------------------------------- every state, and links to it


def test_every_state_can_be_linked_and_shows_its_frame(visit, shown):
    tab = visit(shown)
    drawing, sentence = tab.locator(".rl-frame"), tab.locator(".rl-says")
    seen = set()
    for depth, activation, norm in itertools.product(
        (8, 20, 56), ("relu", "tanh", "sigmoid"), (0, 1)
    ):
        state = f"#explorer=gradient-by-layer;depth={depth};activation={activation};norm={norm}"
        tab.evaluate("(state) => { location.hash = state }", state)
        playwright.expect(sentence).to_have_text(says(depth, activation, bool(norm)))
        wanted = shown.frame(depth=depth, activation=activation, norm=bool(norm)).svg
        paths = re.findall(r' d="([^"]+)"', wanted)
        assert re.findall(r' d="([^"]+)"', drawing.inner_html()) == paths
        seen.add(drawing.inner_html())
    assert len(seen) == 12  # relu and tanh are drawn alike here


def test_a_link_opens_its_state_and_goes_there(visit, shown):
    other = Explorer(render, shown.controls, title="Another", alt=says)
    blank = figures.show(figures.axes(height=20)[0], "A tall figure with nothing in it.")
    state = "#explorer=gradient-by-layer;norm=1;depth=56"
    tab = visit(blank, other, shown, blank, state=state)
    playwright.expect(tab.locator(".rl-says").nth(1)).to_have_text(says(56, "relu", True))
    assert tab.locator(".rl-says").nth(0).inner_text() == says(8, "relu", False)
    assert tab.get_by_role("checkbox").nth(1).is_checked()
    assert abs(tab.locator(".rl-explorer").nth(1).bounding_box()["y"]) < 40


def test_the_link_button_writes_what_a_link_reads(visit, shown):
    tab = visit(shown, permissions=["clipboard-read", "clipboard-write"])
    tab.get_by_label("tanh").check()
    tab.get_by_text("Data, link, files").click()
    tab.get_by_role("button", name="Copy link").click()
    wanted = f"{ADDRESS}#explorer=gradient-by-layer;depth=8;activation=tanh;norm=0"
    assert tab.url == wanted
    # The page isn't served over TLS, so the browser offers no clipboard.
    playwright.expect(tab.get_by_role("status")).to_have_text("The address bar has the link.")
    tab.get_by_role("button", name="Reset").click()
    assert tab.locator(".rl-says").inner_text() == says(8, "relu", False)
    tab.reload()
    assert tab.locator(".rl-says").inner_text() == says(8, "tanh", False)


@pytest.mark.parametrize(
    "state",
    [
        "#explorer=gradient-by-layer;depth=57;activation=elu;norm=2",
        "#explorer=gradient-by-layer;depth",
        "#explorer=gradient-by-layer;__proto__=1;constructor=2;depth=%E0%A4%A",
        "#explorer=gradient-by-layer;depth=<img src=x onerror=alert(1)>",
        "#explorer=gradient-by-layer;activation=javascript:alert(1)",
        "#explorer=</script><script>alert(1)</script>",
        '#explorer="]*{};depth=56',
        "#explorer",
        "#%",
    ],
)
def test_what_a_link_says_is_only_compared(visit, shown, state):
    init = "window.alert = () => console.error('a link ran')"
    tab = visit(shown, state=state, init=init)
    assert tab.locator(".rl-says").inner_text() == says(8, "relu", False)
    assert tab.locator("img, main script:not([type])").count() == 1  # the explorer's own
    tab.get_by_role("slider").press("End")
    assert tab.locator(".rl-says").inner_text() == says(56, "relu", False)


# ----------------------------------------------------------------------- playing, data, files


def test_play_goes_to_the_end_and_stops(visit, shown):
    tab = visit(shown)
    tab.clock.install()
    button, value = tab.get_by_role("button", name="Play depth"), tab.locator(".rl-value")
    sentence = tab.locator(".rl-says")
    button.press("Enter")
    assert value.inner_text() == "8 layers"
    assert button.get_attribute("aria-pressed") == "true"
    assert sentence.get_attribute("aria-live") == "off"
    tab.clock.run_for(900)
    assert value.inner_text() == "20 layers"
    button.press("Space")  # pause
    tab.clock.run_for(5000)
    assert value.inner_text() == "20 layers"
    button.press("Enter")
    tab.clock.run_for(5000)
    assert value.inner_text() == "56 layers"
    assert sentence.inner_text() == says(56, "relu", False)
    assert sentence.get_attribute("aria-live") == "polite"
    assert button.get_attribute("aria-pressed") == "false"
    button.press("Enter")  # from the start again
    assert value.inner_text() == "8 layers"
    tab.get_by_label("BatchNorm").check()  # who takes the controls stops it
    tab.clock.run_for(5000)
    assert sentence.inner_text() == says(8, "relu", True)


def test_nothing_plays_where_motion_is_not_wanted(visit, shown):
    tab = visit(shown, reduced_motion="reduce")
    assert not tab.locator(".rl-play").is_visible()
    tab.get_by_role("slider").press("End")
    assert tab.locator(".rl-says").inner_text() == says(56, "relu", False)


def cells(tab):
    return tab.locator(".rl-table tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )


def test_the_data_follow_the_frame(visit, shown):
    tab = visit(shown)
    assert cells(tab) == []
    tab.get_by_text("Data, link, files").press("Enter")
    playwright.expect(tab.get_by_role("region", name="Data of Gradient by layer")).to_be_visible()
    playwright.expect(tab.get_by_role("columnheader")).to_have_count(2)
    assert cells(tab) == [["layer, counted", "relu"], ["0", "1"], ["8", "0.5"]]
    assert tab.get_by_role("columnheader", name="relu").count() == 1
    tab.get_by_role("slider").press("End")
    tab.get_by_label("tanh").check()
    assert cells(tab) == [["layer, counted", "tanh"], ["0", "1"], ["56", "0.5"]]


def saved(tab, name):
    with tab.expect_download() as download:
        tab.get_by_role("button", name=name).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_frames_can_be_saved(visit, shown):
    tab = visit(shown, theme=' data-theme="dark"')
    tab.get_by_role("slider").press("End")
    tab.get_by_text("Data, link, files").click()
    name, table = saved(tab, "Save CSV")
    assert name == "gradient-by-layer-depth-56-activation-relu-norm-0.csv"
    assert table == b'"layer, counted",relu\n0,1\n56,0.5\n'
    name, drawing = saved(tab, "Save SVG")
    root = ElementTree.fromstring(drawing)  # on its own, so it has to be XML
    assert name.endswith("norm-0.svg")
    assert root.get("aria-label") == says(56, "relu", False)
    # For white paper, whatever the page's theme, and without the page's variables.
    assert root[0].get("fill") == "#fff"
    assert "fill: rgb(36, 41, 47)" in root.get("style")
    assert b"var(" not in drawing
    assert b"color-mix" not in drawing
    assert b"color(" not in drawing
    name, picture = saved(tab, "Save PNG")
    assert name.endswith("norm-0.png")
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    assert image.width == pytest.approx(3 * 72 * figures.WIDTH, abs=3)
    assert image.getpixel((2, image.height - 2)) == (255, 255, 255)
    found = {colour for _, colour in image.getcolors(1 << 20)}
    assert (0, 119, 187) in found or (224, 100, 12) in found or (109, 92, 229) in found


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


# -------------------------------------------------------------------------------------- curves


def curve(**options):
    axes = Curve([8, 20, 32, 56], (0, 100), "depth, layers", "training error", "{} layers")
    return predict("d", "How does the error go?", curve=options.get("axes", axes), unit="%")


MEASURED = ([29, 45, 66, 81], ([25, 40, 60, 78], [33, 50, 70, 84]))


def both():
    return curve(), recall("d", MEASURED[0], interval=MEASURED[1])


def keep(tab):
    tab.get_by_role("button", name="Keep my prediction").click()


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_curve_is_drawn_with_the_arrow_keys(visit):
    tab = visit(*both())
    handles = tab.get_by_role("slider")
    assert handles.count() == 4
    last = handles.nth(3)
    assert last.get_attribute("aria-valuetext") == "56 layers: 50 %"
    last.focus()
    for key, value in [
        ("ArrowUp", "51"),
        ("ArrowRight", "52"),
        ("PageUp", "62"),
        ("ArrowDown", "61"),
        ("ArrowLeft", "60"),
        ("PageDown", "50"),
        ("End", "100"),
        ("ArrowUp", "100"),
        ("Home", "0"),
        ("PageDown", "0"),
    ]:
        tab.keyboard.press(key)
        assert last.get_attribute("aria-valuenow") == value, key
    assert last.get_attribute("aria-valuetext") == "56 layers: 0 %"
    assert tab.locator(".rl-at").inner_text() == "56 layers: 0 %"
    tab.keyboard.press("Shift+Tab")
    assert handles.nth(2).evaluate("e => e === document.activeElement")
    keep(tab)
    assert tab.locator(".rl-predict .rl-says").inner_text().startswith("Kept: this curve.")
    assert tab.evaluate(f"localStorage.getItem('{KEY}d')") == "[50,50,50,0]"


def test_a_drawn_curve_stands_beside_the_measured_one(visit):
    tab = visit(*both())
    recalled, verdict = tab.locator(".rl-recall"), tab.locator(".rl-recall .rl-says")
    assert recalled.locator(".rl-drawn").count() == 0
    tab.get_by_role("slider").nth(0).press("End")
    keep(tab)
    assert recalled.locator(".rl-yours").inner_text() == "the dashed line"
    assert recalled.locator(".rl-drawn circle").count() == 4
    assert verdict.inner_text() == (
        "On average your curve is 31 percentage points from the measured one, and farthest at "
        "8 layers: 100 % against 29 %."
    )
    recalled.get_by_text("The numbers").click()
    assert recalled.locator("tbody tr").nth(0).inner_text().split("\t") == [
        *("8 layers", "100 %", "29 %", "25 to 33 %"),
    ]
    tab.reload()
    assert tab.get_by_role("slider").nth(0).get_attribute("aria-valuenow") == "100"
    assert verdict.inner_text().startswith("On average your curve is 31")


def test_a_curve_is_drawn_with_the_mouse(visit):
    tab = visit(*both())
    handle = tab.get_by_role("slider").nth(1)
    before = middle(handle)
    tab.mouse.move(*before)
    tab.mouse.down()
    tab.mouse.move(before[0] + 90, before[1] - 40, steps=4)  # drifts over the next column
    tab.mouse.up()
    after = middle(handle)
    assert after == (pytest.approx(before[0], abs=1), pytest.approx(before[1] - 40, abs=2))
    others = [each.get_attribute("aria-valuenow") for each in tab.get_by_role("slider").all()]
    assert [others[k] for k in (0, 2, 3)] == ["50"] * 3
    # A click in another point's column brings it there.
    x, y = middle(tab.get_by_role("slider").nth(3))
    tab.mouse.click(x, y + 60)
    assert middle(tab.get_by_role("slider").nth(3))[1] == pytest.approx(y + 60, abs=2)
    assert handle.get_attribute("aria-valuenow") == others[1]


def test_a_curve_is_drawn_with_a_finger(visit):
    tab = visit(*both(), width=390, has_touch=True, is_mobile=True)
    handle = tab.get_by_role("slider").nth(2)
    sizes = [each.bounding_box() for each in tab.locator(".rl-handle circle").all()]
    assert min(min(box["width"], box["height"]) for box in sizes) >= 44
    x, y = middle(handle)
    touch = tab.context.new_cdp_session(tab)

    def send(kind, *at):
        points = [{"x": at[0], "y": at[1]}] if at else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", x, y)
    for step in range(1, 6):
        send("touchMove", x, y + 10 * step)
    send("touchEnd")
    assert middle(handle)[1] == pytest.approx(y + 50, abs=2)
    assert tab.evaluate("scrollY") == 0  # the finger moved the point, not the page
    x, y = middle(tab.get_by_role("slider").nth(0))
    tab.touchscreen.tap(x, y - 50)
    assert middle(tab.get_by_role("slider").nth(0))[1] == pytest.approx(y - 50, abs=2)


def test_nothing_drawn_is_no_prediction(visit):
    tab = visit(*both())
    keep(tab)
    assert "move the points first" in tab.locator(".rl-predict .rl-says").inner_text()
    assert tab.evaluate("localStorage.length") == 0


def test_a_logarithmic_axis_counts_in_factors(visit):
    axes = Curve([1, 10, 100], (1e-6, 1e6), "layers", "gradient", log_y=True)
    predict("d", "How does the gradient go?", curve=axes)
    tab = visit(curve(axes=axes), recall("d", [1, 10, 1000]))
    handle = tab.get_by_role("slider").nth(2)
    assert handle.get_attribute("aria-valuetext") == "100: 1 %"
    handle.press("PageUp")
    assert handle.get_attribute("aria-valuenow") == "10"
    handle.press("ArrowUp")
    assert handle.get_attribute("aria-valuenow") == "12.6"
    handle.press("Home")
    assert handle.get_attribute("aria-valuetext") == "100: 1.0·10⁻⁶ %"
    keep(tab)
    # Factors of 1, 10 and 10^9: their geometric mean is 10^(10/3).
    assert "a factor of 2,200 from the measured one" in tab.locator(".rl-recall").inner_text()


@pytest.mark.parametrize(
    "planted",
    [
        "<img src=x onerror=alert(1)>",
        "[1,2,3]",
        "[1,2,3,101]",
        "[1,2,3,-0.1]",
        "[1,2,3,null]",
        '[1,2,3,"4"]',
        '["<img src=x onerror=alert(1)>",2,3,4]',
        "[1,2,3,1e999]",
        '{"length":4,"every":1}',
        "[[1],2,3,4]",
        "[" * 1999,
        "[1,2,3,4" + " " * 100000 + "]",
        "null",
    ],
)
def test_a_planted_curve_is_not_drawn(visit, planted):
    text = planted.replace("'", "\\'")
    tab = visit(*both(), init=f"localStorage.setItem('{KEY}d', '{text}')")
    assert "nothing yet" in tab.locator(".rl-yours").inner_text()
    assert tab.locator(".rl-recall .rl-drawn").count() == 0
    assert tab.locator("img").count() == 0
    values = [each.get_attribute("aria-valuenow") for each in tab.get_by_role("slider").all()]
    assert values == ["50"] * 4


def test_a_curve_without_scripts_has_axes_and_measurement(visit):
    tab = visit(*both(), java_script_enabled=False)
    assert tab.get_by_text("over these axes on paper").is_visible()
    for picture in tab.locator(".rl-curve svg").all():
        assert picture.bounding_box()["width"] > 300
    assert tab.get_by_role("img", name="Measured: 8 layers: 29 %").count() == 1
    assert tab.locator(".rl-numbers").is_visible()


@pytest.mark.parametrize("theme", ["", ' data-theme="dark"'])
def test_curves_fit_a_phone(visit, theme):
    seven = Curve([1, 2, 3, 5, 8, 11, 15], (0, 100), "block", "test error", "block {}")
    tab = visit(curve(axes=seven), recall("d", range(10, 80, 10)), width=390, theme=theme)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.get_by_text("The numbers").click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    sizes = [each.bounding_box() for each in tab.locator(".rl-handle circle").all()]
    assert min(min(box["width"], box["height"]) for box in sizes) >= 44

"""Predictions: the HTML of questions and of their return, and what is refused."""

import json

import pytest
from bs4 import BeautifulSoup

from residual_lib.explore import Curve, page, predict, predictions, recall


@pytest.fixture(autouse=True)
def nothing_asked(monkeypatch):
    monkeypatch.setattr(predictions, "_asked", {})


def soup_of(piece):
    return BeautifulSoup(piece._repr_html_(), "html.parser")


def data_of(soup):
    return json.loads(soup.find("script", type="application/json").string)


def test_choices_are_radio_buttons_with_labels():
    piece = predict("2.rise", "Does it rise?", choices=["yes", "no  "])
    soup = soup_of(piece)
    radios = soup.find_all("input", type="radio")
    assert [soup.find("label", attrs={"for": each["id"]}).text for each in radios] == ["yes", "no"]
    assert len({radio["name"] for radio in radios}) == 1
    assert soup.legend.string == "Does it rise?"
    assert soup.fieldset.has_attr("disabled")  # until the script can keep the answer
    assert soup.button["type"] == "submit"
    assert data_of(soup) == {"id": "2.rise", "choices": ["yes", "no"]}
    assert repr(piece) == "Predict: Does it rise?"


def test_a_number_has_a_range_and_a_unit():
    soup = soup_of(predict("2.error", "How much?", number=(0, 100), unit="%"))
    field = soup.find("input", type="number")
    assert (field["min"], field["max"]) == ("0", "100")
    assert field.find_parent("label").text == "Your number, 0 to 100 %"
    assert data_of(soup) == {"id": "2.error", "low": 0, "high": 100, "unit": " %"}


def test_recall_shows_the_measurement_and_leads_to_the_question():
    question = soup_of(predict("2.error", "How much?", number=(0, 100), unit="%"))
    piece = recall("2.error", 68.42, interval=(60.11, 75.2))
    soup = soup_of(piece)
    assert [each.text for each in soup("dt")] == ["You predicted", "Measured here"]
    assert soup("dd")[1].text == "68.4 % (95 % interval 60.1 to 75.2 %)"
    assert "nothing yet" in soup("dd")[0].text
    assert soup.a["href"] == "#" + question.form["id"]
    held = data_of(soup)
    assert held["measured"] == 68.42
    assert held["apart"] == " percentage points"
    assert repr(piece) == "Measured: 68.4 % (95 % interval 60.1 to 75.2 %)"


def test_recall_of_a_choice_knows_the_right_one():
    predict("a", "Which one?", choices=["plain", "residual"])
    assert data_of(soup_of(recall("a", "residual")))["answer"] == "residual"
    assert data_of(soup_of(recall("a", "68 % against 8 %")))["answer"] is None
    assert data_of(soup_of(recall("a", 68, "%", answer="plain")))["answer"] == "plain"
    assert soup_of(recall("a", 68, "%"))("dd")[1].text == "68 %"
    predict("b", "How many?", number=(1, 5), unit="layers")
    assert data_of(soup_of(recall("b", 3)))["apart"] == " layers"


def test_all_pieces_share_one_script():
    pieces = [predict("a", "How?", number=(0, 1)), recall("a", 0.5)]
    scripts = {
        script.string
        for piece in pieces
        for script in soup_of(piece)("script")
        if not script.get("type")
    }
    assert scripts == {page.script("predictions.js")}


def test_texts_cannot_leave_their_place():
    bad = '</script><img src=x onerror=alert(1)>"'
    piece = predict("x", bad, choices=[bad, "b"])
    soups = [soup_of(piece), soup_of(recall("x", bad))]
    for soup in soups:
        assert soup.img is None
        assert len(soup("script")) == 2
    assert soups[0].legend.string == bad
    assert data_of(soups[1])["answer"] == bad


def ask_curve(**options):
    axes = {"xlabel": "layers", "ylabel": "training error", "point": "{} layers"} | options
    curve = Curve(axes.pop("x", [8, 20, 56]), axes.pop("y", (0, 100)), **axes)
    return predict("d", "How does it go?", curve=curve, unit="%")


def test_a_curve_has_axes_to_draw_on_and_says_where_its_points_stand():
    soup = soup_of(ask_curve())
    held = data_of(soup)
    assert held["names"] == ["8 layers", "20 layers", "56 layers"]
    assert (held["low"], held["high"], held["log"], held["unit"]) == (0, 100, False, " %")
    width, height = map(float, soup.svg["viewbox"].split()[2:])
    steps = [b - a for a, b in zip(held["at"], held["at"][1:], strict=False)]
    assert steps[0] == pytest.approx(steps[1], abs=0.11)
    assert 0 < held["at"][0] < held["at"][-1] < width
    assert 0 < held["top"] < held["bottom"] < height
    # Seven points of 44 pixels, on a phone that shows the picture 358 pixels wide.
    seven = data_of(soup_of(ask_curve(x=list(range(7)))))["at"]
    assert (seven[1] - seven[0]) * 358 / width > 42
    assert "over these axes on paper" in soup.text
    assert {text.string for text in soup.svg("text")} >= {"8", "20", "56", "layers"}


def test_a_curve_comes_back_with_line_band_and_table():
    ask_curve()
    piece = recall("d", [29.4, 50, 81.239], interval=([25, 45, 78], [33, 55, float("nan")]))
    soup = soup_of(piece)
    held = data_of(soup)
    assert held["measured"] == [29.4, 50, 81.24]
    assert held["band"] == [[25, 45, 78], [33, 55, None]]
    assert held["apart"] == " percentage points"
    rows = [[cell.text for cell in row(["th", "td"])] for row in soup("tr")]
    assert rows[0] == ["at", "you", "measured", "95 % interval"]
    assert rows[1] == ["8 layers", "–", "29.4 %", "25 to 33 %"]
    says = "Measured: 8 layers: 29.4 %, 20 layers: 50 %, 56 layers: 81.2 %"
    assert soup.svg["aria-label"] == f"{says}."
    assert repr(piece) == says
    assert len(soup("tr")[0]("th")) == 4
    assert len(soup_of(recall("d", [1, 2, 3]))("tr")[0]("th")) == 3


def test_scripts_of_curves_come_only_with_curves():
    plain, drawn = predict("a", "How?", number=(0, 1)).text, ask_curve().text
    assert page.script("curves.js") not in plain
    assert drawn.index(page.script("curves.js")) < drawn.index(page.script("predictions.js"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ask_curve(x=[1, 2]), "x must be 3 to 7 numbers, got 2"),
        (lambda: ask_curve(x=range(8)), "x must be 3 to 7 numbers, got 8"),
        (lambda: ask_curve(x=[1, 3, 2]), "x must be finite numbers, rising"),
        (lambda: ask_curve(x=["a", "b", "c"]), "x must be numbers"),
        (lambda: ask_curve(y=(0, float("inf"))), "y must be finite numbers"),
        (lambda: ask_curve(y=(0, 1, 2)), r"y must be \(smallest, largest\)"),
        (lambda: ask_curve(log_y=True), "y must be positive"),
        (lambda: ask_curve(xlabel=" "), "xlabel must be a text"),
        (lambda: ask_curve(point="layers"), "point must be a text with one"),
        (lambda: predict("d", "Q?", curve=[1, 2, 3]), "curve must be a Curve"),
        (lambda: ask_curve() and recall("d", 3), "measured must be 3 finite numbers"),
        (lambda: ask_curve() and recall("d", [1, 2, float("nan")]), "3 finite numbers"),
        (lambda: ask_curve() and recall("d", "abc"), "measured must be numbers"),
        (lambda: ask_curve() and recall("d", [1, 2, 3], "m"), "unit belongs to the question"),
        (lambda: ask_curve() and recall("d", [1, 2, 3], answer="x"), "asked for a curve"),
        (lambda: ask_curve() and recall("d", [1, 2, 3], interval=([1], [2])), "interval must be"),
        (
            lambda: ask_curve(y=(1, 10), log_y=True) and recall("d", [1, 0, 3]),
            "measured must be positive",
        ),
        (lambda: predict("", "Q?", choices=["a", "b"]), "id must be letters"),
        (lambda: predict("a b", "Q?", choices=["a", "b"]), "id must be letters"),
        (lambda: predict("a", " ", choices=["a", "b"]), "question must be a text"),
        (lambda: predict("a", "Q?"), "give exactly one of choices"),
        (lambda: predict("a", "Q?", ["a", "b"], (0, 1)), "give exactly one of choices"),
        (lambda: predict("a", "Q?", choices="ab"), "choices must be a list of texts"),
        (lambda: predict("a", "Q?", choices=["a", 2]), "choices must be a list of texts"),
        (lambda: predict("a", "Q?", choices=["a", " a"]), "at least two different texts"),
        (lambda: predict("a", "Q?", number=(1, 1)), "number must be"),
        (lambda: predict("a", "Q?", number=(0, float("inf"))), "both finite"),
        (lambda: predict("a", "Q?", number=5), "number must be"),
        (lambda: recall("zzz", 3), "nothing was asked as 'zzz'.*asked: none yet"),
        (lambda: ask_number() and recall("n", "3"), "measured must be a number"),
        (lambda: ask_number() and recall("n", True), "measured must be a number"),
        (lambda: ask_number() and recall("n", float("nan")), "measured must be finite"),
        (lambda: ask_number() and recall("n", 3, answer="x"), "answer belongs to choices"),
        (lambda: ask_choice() and recall("c", "3", answer="x"), "answer must be one of"),
        (lambda: ask_choice() and recall("c", None), "measured must be a number"),
    ],
)
def test_what_cannot_work_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def ask_number():
    return predict("n", "How many?", number=(0, 10))


def ask_choice():
    return predict("c", "Which?", choices=["a", "b"])

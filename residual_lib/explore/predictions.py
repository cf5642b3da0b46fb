"""Predict, then see: the reader's answer is kept in the browser and shown beside the result."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from residual_lib.explore import curve as curves
from residual_lib.explore import page
from residual_lib.explore.curve import Curve
from residual_lib.figures import own_ids, short_number

ALLOWED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Html:
    """A piece of self-contained HTML that a notebook shows.

    Attributes:
        text: the HTML.
        plain: the same in a line of text.
    """

    text: str
    plain: str

    def _repr_html_(self) -> str:
        return own_ids(self.text)

    def __repr__(self) -> str:
        return self.plain


# What was asked, so that `recall` knows which answers are possible.
_asked: dict[str, dict[str, Any]] = {}


def predict(
    id: str,
    question: str,
    choices: Sequence[str] | None = None,
    number: tuple[float, float] | None = None,
    unit: str | None = None,
    *,
    curve: Curve | None = None,
) -> Html:
    """Ask the reader for a prediction; the browser keeps it, and nothing leaves the page.

    Args:
        id: name of the prediction, the same in `recall`: letters, digits, dots and dashes.
        question: the question.
        choices: the possible answers, at least two; or
        number: (smallest, largest) possible answer; or
        curve: axes on which the reader draws the answer, point by point.
        unit: unit of the number or of the curve's values, such as "%".

    Returns:
        The question as HTML, with radio buttons, a number field, or a curve to draw.

    Raises:
        ValueError: an id or question that is empty, not exactly one of `choices`, `number` and
            `curve`, fewer than two choices, or a range that is none.
    """
    if not isinstance(id, str) or not ALLOWED_ID.fullmatch(id):
        raise ValueError(f"id must be letters, digits, dots and dashes, got {id!r}")
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"question must be a text, got {question!r}")
    if sum(each is not None for each in (choices, number, curve)) != 1:
        raise ValueError(
            "give exactly one of choices=[...], number=(smallest, largest), curve=Curve(...)"
        )
    unit = _spaced(unit)
    asked: dict[str, Any] = {"id": id}
    own: dict[str, Any] = {}  # what only the form needs
    without = "Without JavaScript, keep your prediction on paper."
    if choices is not None:
        asked["choices"] = _checked_choices(choices)
        fields = _radios(id, asked["choices"])
    elif number is not None:
        asked["low"], asked["high"] = _checked_range(number)
        asked["unit"] = unit
        fields = _number_field(asked["low"], asked["high"], unit)
    else:
        if not isinstance(curve, Curve):
            raise ValueError(f"curve must be a Curve, got {curve!r}")
        asked |= curve.described(unit)
        svg, own = curves.picture(curve, unit)
        says = f"Axes without a curve: {curve.ylabel} against {curve.xlabel}."
        fields = (
            _drawing(svg, says)
            + '<p class="rl-at">Drag the points up or down, or use the arrow keys.</p>'
        )
        without = "Without JavaScript, draw your curve over these axes on paper."
    _asked[id] = asked | {"curve": curve}
    return Html(
        f'<form class="rl-predict" id="rl-predict-{page.escape(id)}" '
        f'data-lm-suppress-shortcuts="true">{_style(asked)}'
        f"<fieldset disabled><legend>{page.escape(question)}</legend>{fields}"
        '<button type="submit">Keep my prediction</button></fieldset>'
        '<p class="rl-says" role="status"></p>'
        "<p>It stays in this browser; nothing is sent.</p>"
        f'<p class="rl-without">{without}</p>'
        f"{page.data(asked | own)}{_scripts(asked)}</form>",
        f"Predict: {question}",
    )


def recall(
    id: str,
    measured: Any,
    unit: str | None = None,
    *,
    interval: tuple[Any, Any] | None = None,
    answer: str | None = None,
) -> Html:
    """Show the reader's prediction beside what was measured.

    Args:
        id: as in `predict`, which must have run before.
        measured: the result: a number if a number was asked for, one for each x if a curve was,
            otherwise a number or a text.
        unit: unit of the result; default: that of the question. A curve's can't be another.
        interval: ends of the result's 95 % interval; of a curve, two sequences, as
            `bootstrap_interval` returns them.
        answer: which of the choices the measurement bears out; default: `measured`, if it is one.

    Returns:
        Both as HTML. Without a stored prediction it says where to make one.

    Raises:
        ValueError: no prediction of this id, a result that doesn't fit the question, or an
            answer that isn't one of the choices.
    """
    if id not in _asked:
        known = ", ".join(sorted(_asked)) or "none yet"
        raise ValueError(f"id: nothing was asked as {id!r}; run predict first (asked: {known})")
    asked = dict(_asked[id])
    curve = asked.pop("curve")
    if answer is not None and "choices" not in asked:
        kind = "a number" if curve is None else "a curve"
        raise ValueError(f"answer belongs to choices; {id!r} asked for {kind}")
    if curve is not None:
        if unit is not None:
            raise ValueError(f"unit belongs to the question {id!r}, whose curve it measures")
        return _recall_curve(asked, curve, measured, interval)
    is_number = isinstance(measured, Real) and not isinstance(measured, bool)
    if is_number and not math.isfinite(float(measured)):
        raise ValueError(f"measured must be finite, got {measured!r}")
    if not is_number and ("choices" not in asked or not isinstance(measured, str)):
        raise ValueError(f"measured must be a number, as the question was, got {measured!r}")
    unit = _spaced(unit) if unit is not None else asked.get("unit", "")
    result = f"{short_number(float(measured))}{unit}" if is_number else str(measured)
    if interval is not None:
        low, high = (short_number(float(end)) for end in interval)
        result += f" (95 % interval {low} to {high}{unit})"
    if "choices" in asked:
        asked["answer"] = measured if answer is None and measured in asked["choices"] else answer
        if asked["answer"] is not None and asked["answer"] not in asked["choices"]:
            raise ValueError(f"answer must be one of {asked['choices']}, got {answer!r}")
    else:
        asked["measured"] = float(measured)
        asked["apart"] = _apart(asked["unit"])
    return _recalled(asked, result)


def _recall_curve(asked: dict[str, Any], curve: Curve, measured: Any, interval: Any) -> Html:
    values = curve.values("measured", measured)
    band = None
    if interval is not None:
        if len(interval) != 2:
            raise ValueError(f"interval must be (low, high), got {interval!r}")
        low, high = (np.asarray(end, dtype=np.float64) for end in interval)
        if low.shape != values.shape or high.shape != values.shape:
            raise ValueError(f"interval must be two times {len(values)} numbers, got {interval!r}")
        band = low, high
    svg, places = curves.picture(curve, asked["unit"], values, band)
    pairs = zip(curve.names, values, strict=True)
    result = ", ".join(f"{name}: {short_number(float(v))}{asked['unit']}" for name, v in pairs)
    asked |= places | {"measured": [float(f"{value:.4g}") for value in values]}
    if band is not None:
        # Ends that aren't known, as with a single seed, are null.
        asked["band"] = [
            [float(f"{v:.4g}") if math.isfinite(v) else None for v in end] for end in band
        ]
    asked["apart"] = _apart(asked["unit"])
    shown = "the solid line" + (", with its 95 % interval" if band is not None else "")
    below = _drawing(svg, f"Measured: {result}.") + curves.numbers(
        curve, asked["unit"], values, band
    )
    return _recalled(asked, shown, below, f"Measured: {result}")


def _recalled(asked: dict[str, Any], result: str, below: str = "", plain: str = "") -> Html:
    return Html(
        '<div class="rl-recall" role="group" aria-label="Your prediction and the measurement">'
        f"{_style(asked)}<dl><dt>You predicted</dt>"
        f'<dd class="rl-yours">nothing yet: <a href="#rl-predict-{page.escape(asked["id"])}">'
        "make your prediction</a>, then come back</dd>"
        f"<dt>Measured here</dt><dd>{page.escape(result)}</dd></dl>{below}"
        '<p class="rl-says" role="status"></p>'
        f"{page.data(asked)}{_scripts(asked)}</div>",
        plain or f"Measured: {result}",
    )


def _style(asked: dict[str, Any]) -> str:
    return page.style("curves.css") if "names" in asked else page.style()


def _scripts(asked: dict[str, Any]) -> str:
    names = ["curves.js"] if "names" in asked else []
    return "".join(f"<script>{page.script(name)}</script>" for name in [*names, "predictions.js"])


def _drawing(svg: str, says: str) -> str:
    named = svg.replace("<svg ", f'<svg role="img" aria-label="{page.escape(says)}" ', 1)
    return f'<div class="rl-figure rl-curve">{named}</div>'


def _apart(unit: str) -> str:
    """The unit of a difference."""
    return " percentage points" if unit == " %" else unit


def _checked_choices(choices: Any) -> list[str]:
    if isinstance(choices, str) or not all(isinstance(each, str) for each in choices):
        raise ValueError(f"choices must be a list of texts, got {choices!r}")
    texts = [" ".join(each.split()) for each in choices]
    if len(texts) < 2 or len(set(texts)) < len(texts) or not all(texts):
        raise ValueError(f"choices must be at least two different texts, got {choices!r}")
    return texts


def _checked_range(number: Any) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in number)
    except (TypeError, ValueError):
        raise ValueError(f"number must be (smallest, largest), got {number!r}") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"number must be (smallest, largest), both finite, got {number!r}")
    return low, high


def _spaced(unit: str | None) -> str:
    return f" {unit.strip()}" if unit and unit.strip() else ""


def _radios(id: str, choices: Sequence[str]) -> str:
    own = f"rl-predict-{page.escape(id)}"
    labels = "".join(
        f'<label for="{own}-{index}"><input type="radio" id="{own}-{index}" name="{own}" '
        f'value="{index}" required autocomplete="off">{page.escape(text)}</label>'
        for index, text in enumerate(choices)
    )
    return f'<div class="rl-options">{labels}</div>'


def _number_field(low: float, high: float, unit: str) -> str:
    return (
        f"<label>Your number, {low:g} to {high:g}{page.escape(unit)}"
        f'<input type="number" min="{low:g}" max="{high:g}" step="any" required '
        'inputmode="decimal" autocomplete="off"></label>'
    )

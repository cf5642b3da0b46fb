"""A class's figures in a folder, and a page with all of them."""

from __future__ import annotations

import base64
import html
import io
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from residual_lib.classroom.drawing import draw
from residual_lib.classroom.files import Class
from residual_lib.classroom.questions import Choices, Drawn, Number
from residual_lib.figures import short_number

MISSING = "not in the files"

# One file to open, mail or show; it fetches nothing and runs nothing.
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What the class predicted</title>
<style>
body{{max-width:52rem;margin:2rem auto;padding:0 1rem;font-family:system-ui,sans-serif;\
line-height:1.5;color:#1c2733;background:#fff}}
section{{margin:3rem 0;break-inside:avoid}}
img{{width:100%;height:auto}}
h2{{font-size:1.25rem}}
</style></head><body>
<h1>What the class predicted</h1>
<p>{students} students. No names are shown.</p>
{sections}
</body></html>
"""


def write(group: Class, folder: str | Path) -> list[Path]:
    """Draw every prediction as PNG and SVG, and a page, index.html, that shows them all.

    Args:
        group: what `read` returned.
        folder: made if it isn't there; files of the same names are replaced.

    Returns:
        The files, the page first.

    Raises:
        ValueError: nobody answered anything, or the folder can't be written.
    """
    if not group.questions:
        raise ValueError("no file holds a prediction that can be drawn")
    folder = Path(folder)
    written, sections = [folder / "index.html"], []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for id, question in group.questions.items():
            figure = draw(question, group.answers[id])
            for kind in ("png", "svg"):
                written.append(folder / f"{id}.{kind}")
                written[-1].write_bytes(_saved(figure, kind))
            sections.append(_section(question, group.answers[id], written[-1].read_bytes()))
        text = PAGE.format(students=len(group.students), sections="\n".join(sections))
        written[0].write_text(text, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"out: {folder} can't be written: {error.strerror}") from None
    return written


def summary(group: Class) -> str:
    """A line for each prediction: how many answered, what the class says, what was measured."""
    rows = [("prediction", "answers", "the class", "measured")]
    for id, question in group.questions.items():
        answers = group.answers[id]
        rows.append((id, str(len(answers)), _says(question, answers), _measured(question)))
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    return "\n".join(
        f"{id:<{widths[0]}}  {count:>{widths[1]}}  {says:<{widths[2]}}  {found}"
        for id, count, says, found in rows
    )


def _section(question: Choices | Number | Drawn, answers: list[Any], svg: bytes) -> str:
    says = f"{len(answers)} answers: {_says(question, answers)}. Measured: {_measured(question)}."
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    title, text = html.escape(f"{question.id}: {question.text}"), html.escape(says)
    return f'<section><h2>{title}</h2><img alt="{text}" src="{source}"><p>{text}</p></section>'


def _says(question: Choices | Number | Drawn, answers: list[Any]) -> str:
    if isinstance(question, Choices):
        most = max(question.choices, key=answers.count)
        return f"{answers.count(most)} say {most!r}"
    if isinstance(question, Number):
        quarter, median, last = (
            short_number(float(each)) for each in np.quantile(answers, [0.25, 0.5, 0.75])
        )
        return f"median {median}{question.unit}, half from {quarter} to {last}{question.unit}"
    median = np.median(answers, axis=0)
    if question.measured is None:
        return f"median {_listed(median, question)}"
    away = f"median {short_number(float(np.median([_apart(question, a) for a in answers])))}"
    if question.log:
        return f"{away.replace('median ', 'median a factor of ')} from the measured curve"
    unit = " percentage points" if question.unit == " %" else question.unit
    return f"{away}{unit} from the measured curve"


def _apart(question: Drawn, values: tuple[float, ...]) -> float:
    """How far a curve is from the measured one: the page's distance, see curves.js."""
    measured = np.asarray(question.measured)
    if question.log:
        return float(np.exp(np.abs(np.log(np.asarray(values) / measured)).mean()))
    return float(np.abs(np.asarray(values) - measured).mean())


def _measured(question: Choices | Number | Drawn) -> str:
    if isinstance(question, Choices):
        return MISSING if question.answer is None else question.answer
    if question.measured is None:
        return MISSING
    if isinstance(question, Number):
        return f"{short_number(question.measured)}{question.unit}"
    return _listed(question.measured, question)


def _listed(values: Any, question: Drawn) -> str:
    numbers = ", ".join(short_number(float(value)) for value in values)
    return f"{numbers}{question.unit}"


def _saved(figure: Figure, kind: str) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), mpl.rc_context({"svg.hashsalt": "residual_lib"}):
        # A script that the font lacks is drawn as boxes; the page has the text itself.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        metadata = {"Date": None} if kind == "svg" else None
        figure.savefig(file, format=kind, dpi=200, facecolor="white", metadata=metadata)
    return file.getvalue()

"""A question and a class's answers as a figure, for a lecture's wall."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from residual_lib import figures
from residual_lib.classroom.questions import Choices, Drawn, Number
from residual_lib.explore.curve import axes_of
from residual_lib.svg import INK, SERIES

OURS = SERIES[2]  # as the reader's own curve has it on the page
BINS = 20


@figures.styled
def draw(question: Choices | Number | Drawn, answers: list[Any]) -> Figure:
    """Curves: each student's thin, the median thick, the measured one black with its interval.
    Numbers: a histogram. Choices: a bar each."""
    if isinstance(question, Drawn):
        return _curves(question, answers)
    return (
        _bars(question, answers) if isinstance(question, Choices) else _histogram(question, answers)
    )


def _curves(question: Drawn, answers: list[Any]) -> Figure:
    figure, ax = axes_of(
        {
            "ticks": [_plain(tick) for tick in question.ticks],
            "low": question.low,
            "high": question.high,
            "log": question.log,
            "unit": _plain(question.unit),
            "xlabel": _plain(question.xlabel),
            "ylabel": _plain(question.ylabel),
        }
    )
    at = np.arange(len(question.names))
    # Many students' lines add up; few must still be seen.
    faint = max(0.15, min(0.6, 9 / len(answers)))
    for values in answers:
        ax.plot(at, values, color=OURS, linewidth=1, alpha=faint)
    ax.plot(at, np.median(answers, axis=0), color=OURS, linewidth=3.5, label="the class, median")
    if question.measured is not None:
        if question.band is not None:
            low, high = np.clip(question.band, question.low, question.high)
            edge = np.concatenate([low, high[::-1]])
            ax.fill(np.concatenate([at, at[::-1]]), edge, color=INK, alpha=0.2, linewidth=0)
        ax.plot(at, question.measured, color=INK, marker="o", label="measured")
    return _with_key(figure, ax)


def _histogram(question: Number, answers: list[Any]) -> Figure:
    label = f"answer,{question.unit}" if question.unit else "answer"
    figure, ax = figures.axes(xlabel=_plain(label), ylabel="students")
    ax.hist(answers, bins=BINS, range=(question.low, question.high), color=OURS, alpha=0.5)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.axvline(float(np.median(answers)), color=OURS, linewidth=3.5, label="the class, median")
    if question.measured is not None:
        ax.axvline(question.measured, color=INK, label="measured")
    ax.set_xlim(question.low, question.high)
    return _with_key(figure, ax)


def _bars(question: Choices, answers: list[Any]) -> Figure:
    labels = [_plain(textwrap.fill(each, 30, max_lines=4)) for each in question.choices]
    lines = sum(label.count("\n") + 1 for label in labels)
    figure, ax = figures.axes(height=(lines * 15 + len(labels) * 10 + 60) / 72, xlabel="students")
    counts = [answers.count(each) for each in question.choices]
    at = range(len(labels))
    for row, choice in enumerate(question.choices):
        right = choice == question.answer
        ax.barh(row, counts[row], color=INK if right else OURS, alpha=0.8)
        ax.text(counts[row], row, f" {counts[row]}" + (", measured" if right else ""), va="center")
    ax.set_yticks(at, labels=labels)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set_xlim(0, 1.35 * max(counts))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    across = 72 * figure.get_figwidth()
    widest = max(figures.text_width(line) for label in labels for line in label.split("\n"))
    figure.subplots_adjust(left=min(0.55, (widest + 14) / across), top=0.97)
    return figure


def _with_key(figure: Figure, ax: Axes) -> Figure:
    """A line below that says which line is which."""
    height = figure.get_figheight() + 0.35
    share = figure.subplotpars.bottom * figure.get_figheight() + 0.35
    figure.set_figheight(height)
    for text in figure.texts:  # the vertical axis' label stays at the top
        text.set_y(1 - 3 / (72 * height))
    figure.subplots_adjust(bottom=share / height, top=1 - 28 / (72 * height))
    figure.legend(*ax.get_legend_handles_labels(), loc="lower left", ncols=2, borderaxespad=0.2)
    return figure


def _plain(text: str) -> str:
    """Text in which matplotlib finds no formula."""
    return text.replace("$", r"\$")

"""Data cards: what a data set is, partly told and partly computed."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from textwrap import wrap

import pandas as pd
import torch

from residual_lib.data.base import Data, Source

_WIDTH = 88  # characters of a line of the text form
_MOST = 12  # rows of the table; more classes than this are shown by their extremes


@dataclass(frozen=True)
class Card:
    """A data card. Prints as text; Jupyter and the book show it as HTML or Markdown.

    Attributes:
        name: the name for `residual_lib.data.load`.
        title: a name for people.
        facts: (what, text) pairs, in the order of reading.
        balance: computed from the tensors: samples of each class in each part, or the
            statistics of the targets of a regression. The index says of what.
    """

    name: str
    title: str
    facts: tuple[tuple[str, str], ...]
    balance: pd.DataFrame

    def __str__(self) -> str:
        heading = f"{self.title} ({self.name})"
        lines = [heading, "=" * len(heading)]
        indent = max(len(what) for what, _ in self.facts) + 2
        for what, text in self.facts:
            first, *rest = wrap(text.replace("`", ""), _WIDTH - indent)
            lines += [what.ljust(indent) + first, *(" " * indent + line for line in rest)]
        return "\n".join([*lines, "", self.balance.reset_index().to_string(index=False)])

    __repr__ = __str__

    def markdown(self, heading: int = 3) -> str:
        """The card as Markdown, under a heading of the given level, 1 to 6."""
        if heading not in range(1, 7):
            raise ValueError(f"heading must be a level from 1 to 6, got {heading!r}")
        facts = [f"**{what}.** {text}." for what, text in self.facts]
        table = self.balance.reset_index()
        rows = [list(table.columns), *table.to_numpy().tolist()]
        cells = [[str(cell).replace("$", r"\$") for cell in row] for row in rows]
        lines = ["| " + " | ".join(row) + " |" for row in cells]
        lines.insert(1, "|" + " --- |" * len(table.columns))
        blocks = [f"{'#' * heading} {self.title} (`{self.name}`)", *facts, "\n".join(lines)]
        return "\n\n".join(blocks) + "\n"

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_html_(self) -> str:
        facts = "".join(
            f'<tr><th scope="row">{escape(what)}</th><td>{_code(text)}</td></tr>'
            for what, text in self.facts
        )
        table = self.balance.reset_index()
        head = "".join(f'<th scope="col">{escape(str(column))}</th>' for column in table.columns)
        body = "".join(
            f'<tr><th scope="row">{escape(str(first))}</th>'
            + "".join(f"<td>{escape(str(cell))}</td>" for cell in rest)
            + "</tr>"
            for first, *rest in table.to_numpy().tolist()
        )
        return (
            f'<table class="rl-card"><caption>Data card: {escape(self.title)} '
            f"(<code>{self.name}</code>)</caption><tbody>{facts}</tbody></table>\n"
            f'<table class="rl-card"><caption>{escape(self.title)}: computed from the tensors'
            f"</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


def make_card(source: Source, data: Data) -> Card:
    """Put together what `source` tells and what `data` shows."""
    parts = ((data.x_train, data.y_train), (data.x_test, data.y_test))
    shapes = [f"x {_shape(x)}, y {_shape(y)}" for x, y in parts]
    size = sum(x.nbytes + y.nbytes for x, y in parts)
    facts = (
        ("Task", _task(data)),
        ("Training", shapes[0]),
        ("Test", f"{shapes[1]}, {len(data.x_test) / (len(data.x_train) + len(data.x_test)):.0%}"),
        ("Size", f"{size / 2**20:.2g} MiB in memory"),
        ("Normalisation", source.normalisation),
        ("Source", source.origin),
        ("Licence", source.licence),
        ("Known limits", source.limits),
    )
    return Card(data.name, source.title, facts, _balance(data))


def _task(data: Data) -> str:
    if not data.num_classes:
        return data.task
    unit = "characters" if data.task == "language" else "classes"
    return f"{data.task}, {data.num_classes} {unit}"


def _shape(tensor: torch.Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _balance(data: Data) -> pd.DataFrame:
    targets = {"train": data.y_train, "test": data.y_test}
    if not data.num_classes:
        numbers = {part: _summary(y) for part, y in targets.items()}
        return pd.DataFrame(numbers).rename_axis("y")
    counts = {
        part: torch.bincount(y.flatten(), minlength=data.num_classes).tolist()
        for part, y in targets.items()
    }
    names = [repr(name) if name.isspace() else name for name in data.classes]
    table = pd.DataFrame(counts, index=pd.Index(names, name="class"))
    table["share of train"] = [f"{n / len(data.y_train.flatten()):.2%}" for n in table["train"]]
    if len(table) > _MOST:
        table = table.sort_values("train", ascending=False, kind="stable")
        half = _MOST // 2
        table = pd.concat([table.head(half), table.tail(half)])
        table.index.name = f"class ({half} most frequent, {half} rarest)"
    return table


def _summary(y: torch.Tensor) -> dict[str, str]:
    numbers = {"mean": y.mean(), "standard deviation": y.std(correction=0)}
    numbers |= {"least": y.min(), "greatest": y.max()}
    return {what: f"{float(number):.3f}" for what, number in numbers.items()}


def _code(text: str) -> str:
    """Escape, with `backquotes` as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))

"""The live face of an explorer: ipywidgets 7.7 or 8 call the render function anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from residual_lib import figures
from residual_lib.explore import page
from residual_lib.explore.controls import Control, Slider, Toggle

if TYPE_CHECKING:
    from residual_lib.explore.explorer import Explorer

PLAY = 800  # milliseconds a frame, as in explorer.js


def live_view(explorer: Explorer) -> dict[str, Any]:
    """What a front end needs to show the widgets, the same for ipywidgets 7 and 8.

    Version 7 would display the widget itself (`_ipython_display_`), 8 returns a bundle
    (`_repr_mimebundle_`); both mean this.
    """
    return {"version_major": 2, "version_minor": 0, "model_id": live(explorer).model_id}


def live(explorer: Explorer) -> ipywidgets.VBox:
    """The static face's parts in its order, as one widget.

    A value whose frame fails shows the error in the sentence's place and keeps the figure. Links
    and files are the static face's alone: here the reader has the code.
    """
    inputs = [_input(control) for control in explorer.controls]
    figure, sentence, table = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
    reset = ipywidgets.Button(description="Reset")
    data = ipywidgets.ToggleButton(description="Data")
    waiting = False

    def draw(_: Any = None) -> None:
        if waiting:
            return
        values = {
            control.name: control.values[int(each.value)]
            for control, each in zip(explorer.controls, inputs, strict=True)
        }
        try:
            svg, says, tables = explorer.frame(**values)
        except RuntimeError as error:
            sentence.value = f'<p class="rl-says" role="alert">{page.escape(str(error))}</p>'
            return
        figure.value = _picture(svg, says)
        sentence.value = f'<p class="rl-says">{page.escape(says)}</p>'
        numbers = f'<div class="rl-table">{page.tables(tables)}</div>'
        table.value = numbers if data.value and tables else ""

    def start(_: Any) -> None:
        nonlocal waiting
        waiting = True  # one frame for all controls
        for control, each in zip(explorer.controls, inputs, strict=True):
            each.value = bool(control.start) if isinstance(control, Toggle) else control.start
        waiting = False
        draw()

    for each in (*inputs, data):
        each.observe(draw, names="value")
    reset.on_click(start)
    draw()
    above = page.paragraph("rl-title", explorer.title) + page.paragraph(
        "rl-asks", explorer.question
    )
    below = page.folded("rl-answer", "Answer", explorer.answer) + page.paragraph(
        "rl-caption", explorer.caption
    )
    box = ipywidgets.VBox(
        [
            ipywidgets.HTML(page.style() + above),
            *(
                _with_play(control, each)
                for control, each in zip(explorer.controls, inputs, strict=True)
            ),
            figure,
            sentence,
            ipywidgets.HBox([reset, data]),
            table,
            ipywidgets.HTML(below),
        ]
    )
    box.add_class("rl-explorer")
    return box


def _picture(svg: str, says: str) -> str:
    named = svg.replace("<svg ", f'<svg role="img" aria-label="{page.escape(says)}" ', 1)
    return f'<div class="rl-figure">{figures.own_ids(named)}</div>'


def _with_play(control: Control, slider: Any) -> Any:
    """A slider beside the button that moves it."""
    if not isinstance(control, Slider):
        return slider
    last = len(control.values) - 1
    play = ipywidgets.Play(value=control.start, min=0, max=last, interval=PLAY)
    ipywidgets.link((play, "value"), (slider, "index"))
    slider.layout.flex = "1"
    return ipywidgets.HBox([play, slider])


def _input(control: Control) -> Any:
    common = {
        "value": control.start,
        "description": control.label,
        "style": {"description_width": "initial"},
        "layout": ipywidgets.Layout(width="auto"),
    }
    if isinstance(control, Toggle):
        return ipywidgets.Checkbox(**{**common, "value": bool(control.start)}, indent=False)
    options = [(text, index) for index, text in enumerate(control.texts)]
    if isinstance(control, Slider):
        return ipywidgets.SelectionSlider(options=options, **common)
    return ipywidgets.Dropdown(options=options, **common)

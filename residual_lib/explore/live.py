"""The live face of an explorer: ipywidgets 7.7 or 8 call the render function anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from residual_lib import figures
from residual_lib.explore import page
from residual_lib.explore.controls import Control, Slider, Toggle

if TYPE_CHECKING:
    from residual_lib.explore.explorer import Explorer


def live_view(explorer: Explorer) -> dict[str, Any]:
    """What a front end needs to show the widgets, the same for ipywidgets 7 and 8.

    Version 7 would display the widget itself (`_ipython_display_`), 8 returns a bundle
    (`_repr_mimebundle_`); both mean this.
    """
    return {"version_major": 2, "version_minor": 0, "model_id": live(explorer).model_id}


def live(explorer: Explorer) -> ipywidgets.VBox:
    """Title, controls, figure and sentence as one widget.

    A value whose frame fails shows the error in the sentence's place and keeps the figure.
    """
    inputs = [_input(control) for control in explorer.controls]
    figure, sentence = ipywidgets.HTML(), ipywidgets.HTML()

    def draw(_: Any = None) -> None:
        values = {
            control.name: control.values[int(each.value)]
            for control, each in zip(explorer.controls, inputs, strict=True)
        }
        try:
            svg, says = explorer.frame(**values)
        except RuntimeError as error:
            sentence.value = f'<p class="rl-says" role="alert">{page.escape(str(error))}</p>'
            return
        figure.value = _picture(svg, says)
        sentence.value = f'<p class="rl-says">{page.escape(says)}</p>'

    for each in inputs:
        each.observe(draw, names="value")
    draw()
    title = ipywidgets.HTML(f'{page.style()}<p class="rl-title">{page.escape(explorer.title)}</p>')
    below = [ipywidgets.HTML(f"<p>{page.escape(explorer.caption)}</p>")] if explorer.caption else []
    box = ipywidgets.VBox([title, *inputs, figure, sentence, *below])
    box.add_class("rl-explorer")
    return box


def _picture(svg: str, says: str) -> str:
    named = svg.replace("<svg ", f'<svg role="img" aria-label="{page.escape(says)}" ', 1)
    return f'<div class="rl-figure">{figures.own_ids(named)}</div>'


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

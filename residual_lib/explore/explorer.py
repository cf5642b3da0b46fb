"""One interactive figure with two faces: ipywidgets where a kernel runs, plain HTML elsewhere."""

from __future__ import annotations

import inspect
import itertools
import os
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from matplotlib import pyplot
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from residual_lib import figures
from residual_lib.explore import page
from residual_lib.explore.controls import Choice, Control, Slider, Toggle
from residual_lib.explore.frames import pack
from residual_lib.figures import MARK
from residual_lib.svg import serialise

MOST_FRAMES = 1000
MOST_RADIOS = 4
# "static" or "live"; the book's build sets it to static, so that nothing depends on guessing.
FACE = "RESIDUAL_LIB_EXPLORER"


class Explorer:
    """A figure and the controls that choose what it shows.

    As the last value of a cell it shows itself: in a notebook with ipywidgets that call `render`
    anew, on a built page with HTML inputs over frames drawn in advance.

    Args:
        render: called with one value for each control, by name; returns a matplotlib figure.
            The same values must give the same figure. Keep the axes' limits fixed, so that
            frames compare and share more.
        controls: `Slider`, `Choice`, `Toggle`; all combinations are drawn, 1000 at most.
        title: heading of the explorer.
        alt: what a frame shows, in a sentence: a function called like `render`, or a text in
            which {name} stands for a control's value. It is read aloud when the frame changes.
        caption: text below, for example the question that the explorer answers.

    Raises:
        TypeError: `render` or `alt` can't be called with the controls' names, or a control
            isn't one.
        ValueError: no control, two of one name, too many frames, an empty title or alt.
    """

    def __init__(
        self,
        render: Callable[..., Figure],
        controls: Sequence[Control],
        *,
        title: str,
        alt: str | Callable[..., str],
        caption: str | None = None,
    ) -> None:
        self.controls = tuple(controls)
        for control in self.controls:
            if not isinstance(control, Control):
                raise TypeError(f"controls must be Slider, Choice or Toggle, got {control!r}")
        names = [control.name for control in self.controls]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"controls must be at least one, of different names, got {names}")
        self.count = 1
        for control in self.controls:
            self.count *= len(control.values)
        if self.count > MOST_FRAMES:
            raise ValueError(
                f"controls have {self.count} combinations; at most {MOST_FRAMES} can be drawn in "
                "advance: use fewer values"
            )
        if not isinstance(title, str) or not title.strip():
            raise ValueError(f"title must be a text, got {title!r}")
        _accepts("render", render, names)
        if isinstance(alt, str):
            figures.check_alt(alt)
            _fills(alt, names)
        else:
            _accepts("alt", alt, names)
        self.render, self.title, self.alt, self.caption = render, title, alt, caption

    @property
    def start(self) -> dict[str, Any]:
        """The values of the frame that is shown first."""
        return {control.name: control.values[control.start] for control in self.controls}

    def frame(self, **values: Any) -> tuple[str, str]:
        """One frame.

        Args:
            values: one for each control.

        Returns:
            (svg, sentence): the figure, whose ids begin with MARK until `figures.own_ids`
            replaces it, and what it shows.

        Raises:
            RuntimeError: `render` or `alt` failed, or returned something else; names the frame.
        """
        where = ", ".join(f"{name}={value!r}" for name, value in values.items())
        try:
            figure = self.render(**values)
            if not isinstance(figure, Figure):
                raise TypeError(f"returned {type(figure).__name__}, not a matplotlib figure")
            svg = serialise(figure, MARK)
            pyplot.close(figure)
        except Exception as error:
            raise RuntimeError(f"render({where}) failed: {error}") from error
        try:
            if isinstance(self.alt, str):
                named = {
                    control.name: control.texts[control.values.index(values[control.name])]
                    for control in self.controls
                }
                sentence = figures.check_alt(self.alt.format(**named))
            else:
                sentence = figures.check_alt(self.alt(**values))
        except Exception as error:
            raise RuntimeError(f"alt({where}) failed: {error}") from error
        return svg, sentence

    @cached_property
    def _content(self) -> tuple[str, str]:
        """The static face with MARK for ids: what comes before the script, and the data in it."""
        every = itertools.product(*(control.values for control in self.controls))
        names = [control.name for control in self.controls]
        # No bar where a program runs the notebook: it would only stay in the page as an output.
        bar = tqdm(
            every,
            total=self.count,
            desc=self.title,
            unit="frame",
            leave=False,
            delay=3,
            disable=_in_kernel() and face() == "static",
        )
        frames = [self.frame(**dict(zip(names, values, strict=True))) for values in bar]
        parts, runs = pack([_named(svg) for svg, _ in frames])
        first = 0
        for control in self.controls:
            first = first * len(control.values) + control.start
        content = {
            "parts": parts,
            "runs": runs,
            "says": [sentence for _, sentence in frames],
            "texts": [control.texts for control in self.controls],
        }
        return self._body(*frames[first], controls=True), page.data(content)

    def html(self) -> str:
        """The static face: all frames, self-contained HTML. Each call gives ids of its own."""
        body, content = self._content
        script = f"<script>{page.script('explorer.js')}</script>"
        return figures.own_ids(f"{body}{content}{script}</div>")

    def first_frame_html(self) -> str:
        """The first frame without controls, for where the live face can't be shown."""
        body = self._body(*self.frame(**self.start), controls=False)
        return figures.own_ids(f"{body}</div>")

    def _body(self, svg: str, sentence: str, *, controls: bool) -> str:
        answers = "; ".join(
            f"{control.label}: {', '.join(control.texts)}" for control in self.controls
        )
        inputs = (
            '<div class="rl-controls" hidden>'
            + "".join(_input(control) for control in self.controls)
            + "</div>"
        )
        # Not <noscript>: some front ends drop scripts and still claim to run them.
        without = (
            '<p class="rl-without">Where scripts run, this figure answers to '
            f"{page.escape(answers)}.</p>"
        )
        caption = f'<p class="rl-caption">{page.escape(self.caption)}</p>' if self.caption else ""
        return (
            f'<div class="rl-explorer" role="group" aria-labelledby="{MARK}-title" '
            f'data-lm-suppress-shortcuts="true">{page.style()}'
            f'<p class="rl-title" id="{MARK}-title">{page.escape(self.title)}</p>'
            f"{inputs + without if controls else ''}"
            f'<div class="rl-figure rl-frame">{_named(svg)}</div>'
            f'<p class="rl-says" id="{MARK}-says" aria-live="polite">{page.escape(sentence)}</p>'
            f"{caption}"
        )

    def _repr_html_(self) -> str | None:
        # On Colab HTML beside a widget could be shown in its place.
        return (
            None if _on_colab() else self.html() if face() == "static" else self.first_frame_html()
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Static: HTML with every frame. Live: a widget, and HTML with the first frame."""
        bundle: dict[str, Any] = {"text/plain": repr(self)}
        if face() == "live":
            from residual_lib.explore.live import live_view

            bundle["application/vnd.jupyter.widget-view+json"] = live_view(self)
        markup = self._repr_html_()
        if markup is not None:
            bundle["text/html"] = markup
        return bundle

    def __repr__(self) -> str:
        return f"Explorer: {self.title} ({self.count} frames)"


def face() -> str:
    """Which face a cell shows now, "live" or "static".

    RESIDUAL_LIB_EXPLORER decides if it is set. Otherwise: live where somebody sits before the
    kernel (JupyterLab, Notebook, VS Code, Colab), static where a program runs the notebook.

    Raises:
        ValueError: the environment variable has another value.
    """
    wish = os.environ.get(FACE, "").strip().lower()
    if wish in ("live", "static"):
        return wish
    if wish:
        raise ValueError(f"{FACE} must be 'live' or 'static', got {wish!r}")
    # Jupyter's server names the session to kernels that it starts for a person; nbclient,
    # which runs notebooks for the book and the tests, doesn't.
    attended = "JPY_SESSION_NAME" in os.environ or "VSCODE_PID" in os.environ
    return "live" if _in_kernel() and (attended or _on_colab()) else "static"


def _in_kernel() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def _on_colab() -> bool:
    return "google.colab" in sys.modules


def _named(svg: str) -> str:
    return svg.replace("<svg ", f'<svg role="img" aria-labelledby="{MARK}-says" ', 1)


def _accepts(argument: str, function: Any, names: list[str]) -> None:
    if not callable(function):
        raise TypeError(f"{argument} must be a function, got {type(function).__name__}")
    try:
        inspect.signature(function).bind(**dict.fromkeys(names))
    except TypeError as error:
        raise TypeError(f"{argument} must accept {', '.join(names)}: {error}") from None


def _fills(alt: str, names: list[str]) -> None:
    try:
        filled = [alt.format(**dict.fromkeys(names, value)) for value in "ab"]
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"alt may use {{{'}, {'.join(names)}}}, got {alt!r}: {error!r}") from None
    if filled[0] == filled[1]:
        raise ValueError(
            f"alt says the same for every frame: name a control's value, as in {{{names[0]}}}, or "
            f"give a function; got {alt!r}"
        )


def _input(control: Control) -> str:
    """One control as HTML: the browser's own inputs, so that keyboards and screen readers work."""
    label, own = page.escape(control.label), f"{MARK}-{control.name}"
    texts = [page.escape(text) for text in control.texts]
    if isinstance(control, Slider):
        return (
            f'<div class="rl-control"><label for="{own}">{label}: '
            f'<span class="rl-value">{texts[control.start]}</span></label>'
            f'<input type="range" id="{own}" min="0" max="{len(texts) - 1}" step="1" '
            f'value="{control.start}" aria-valuetext="{texts[control.start]}" autocomplete="off">'
            "</div>"
        )
    if isinstance(control, Toggle):
        checked = " checked" if control.start else ""
        return (
            f'<div class="rl-control rl-check"><label for="{own}">'
            f'<input type="checkbox" id="{own}" autocomplete="off"{checked}>{label}</label></div>'
        )
    assert isinstance(control, Choice)
    if len(texts) > MOST_RADIOS:
        options = "".join(
            f'<option value="{index}"{" selected" if index == control.start else ""}>{text}'
            "</option>"
            for index, text in enumerate(texts)
        )
        return (
            f'<div class="rl-control"><label for="{own}">{label}</label>'
            f'<select id="{own}" autocomplete="off">{options}</select></div>'
        )
    radios = "".join(
        f'<label for="{own}-{index}"><input type="radio" name="{own}" id="{own}-{index}" '
        f'value="{index}" autocomplete="off"{" checked" if index == control.start else ""}>'
        f"{text}</label>"
        for index, text in enumerate(texts)
    )
    return (
        f'<fieldset class="rl-control"><legend>{label}</legend>'
        f'<div class="rl-options">{radios}</div></fieldset>'
    )

"""The directive `quiz`: a chapter's questions as HTML that can be read before any script runs.

    :::{quiz}
    What a reader of the notebook sees in this place.
    :::

Texts are parsed as the chapter's own, so that formulas are set while the site is built. Answers
stand folded below their question; quiz.js takes its replies from there.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

from builder.paths import ROOT
from builder.quiz.bank import Choice, Number, Question, QuestionError, load

STATIC = Path(__file__).parent / "static"
QUESTIONS = ROOT / "book" / "questions"


class element(nodes.General, nodes.TextElement):
    """An HTML element: `tag`, its `attributes`, and whatever nodes stand in it, text included."""


def tag(name: str, /, *children: nodes.Node | str, **attributes: str | bool) -> element:
    """Make an element. An attribute that is True has no value, one that is False is left out;
    `data_id` and `class_` become `data-id` and `class`."""
    made = element("", tag=name, attributes=attributes)
    made += [nodes.Text(child) if isinstance(child, str) else child for child in children]
    return made


class Quiz(SphinxDirective):
    """Sets the questions of the page's chapter in the place of what the notebook says."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        chapter = Path(self.env.docname).name
        path = QUESTIONS / f"{chapter}.yml"
        self.env.note_dependency(str(path))
        try:
            questions = load(path, ROOT / f"{self.env.docname}.ipynb")
        except QuestionError as error:
            raise self.error(str(error)) from None
        forms = [
            self._form(question, f"Question {place} of {len(questions)}")
            for place, question in enumerate(questions, 1)
        ]
        foot = tag(
            "div",
            tag("p", class_="rl-score"),
            tag("button", "Start again", type="button", class_="rl-again", hidden=True),
            tag("p", "Answers stay in this browser; nothing is sent.", class_="rl-kept"),
            class_="rl-quiz-foot",
        )
        without = tag(
            "p",
            "Without JavaScript nothing replies here; the answers are folded below the questions.",
            class_="rl-without",
        )
        return [tag("div", without, *forms, foot, class_="rl-quiz")]

    def _form(self, question: Question, title: str) -> element:
        own = "quiz-" + question.id.replace(".", "-")
        checked = bool(question.choices or question.number)
        parts = [
            tag("legend", title, id=f"{own}-title"),
            tag("div", *self._blocks(question.text), id=f"{own}-text", class_="rl-asked"),
        ]
        if question.choices:
            parts.append(tag("div", *self._radios(own, question.choices), class_="rl-choices"))
        if question.number:
            parts.append(_number_field(question.number))
        if checked:
            parts.append(tag("button", "Check", type="submit", hidden=True))
        answer = [
            tag("summary", "Answer" if checked else "Compare with the answer"),
            *self._cases(question),
            self._link(question.section),
        ]
        if not checked:
            answer.append(_marks())
        fields = tag("fieldset", *parts, aria_labelledby=f"{own}-title {own}-text", disabled=True)
        reply = tag("div", role="status", class_="rl-reply")
        folded = tag("details", *answer, class_="rl-answer")
        return tag(
            "form",
            fields,
            # The reply stands behind the button that asks for it.
            *((reply, folded) if checked else (folded, reply)),
            class_="rl-question",
            id=own,
            data_quiz=question.id,
        )

    def _radios(self, own: str, choices: Iterable[Choice]) -> Iterator[element]:
        for place, choice in enumerate(choices):
            radio = tag(
                "input", type="radio", name=own, value=str(place), required=True, autocomplete="off"
            )
            yield tag("label", radio, tag("span", *self._inline(choice.text)))

    def _cases(self, question: Question) -> Iterator[element]:
        """What the answers are and why, the right one first; quiz.js finds them by `data-`."""
        explained = self._blocks(question.explanation)
        if number := question.number:
            tolerance = str(number.tolerance)
            for value, why in [(number.value, None)] + [(w.answer, w.why) for w in question.wrong]:
                verdict = "Right: " if why is None else "Wrong: "
                yield tag(
                    "div",
                    tag("p", verdict, _readable(value, number.unit), class_="rl-which"),
                    tag("div", *(explained if why is None else self._blocks(why)), class_="rl-why"),
                    class_="rl-case",
                    data_number=str(value),
                    data_tolerance=tolerance,
                    data_right=why is None,
                )
            return
        if question.choices:
            ordered = sorted(enumerate(question.choices), key=lambda pair: not pair[1].right)
            for place, choice in ordered:
                why = explained if choice.right else self._blocks(choice.why)
                verdict = "Right: " if choice.right else "Wrong: "
                yield tag(
                    "div",
                    tag("p", verdict, *self._inline(choice.text), class_="rl-which"),
                    tag("div", *why, class_="rl-why"),
                    class_="rl-case",
                    data_choice=str(place),
                    data_right=choice.right,
                )
            return
        is_code = question.kind == "code"
        yield tag("div", *self._answer(question.answer, is_code), *explained, class_="rl-case")
        for each in question.wrong:
            shown = self._answer(str(each.answer), is_code)
            yield tag("p", "Often answered, and wrong:", class_="rl-which")
            yield tag("div", *shown, *self._blocks(each.why), class_="rl-case")

    def _answer(self, text: str, is_code: bool) -> list[nodes.Node]:
        if is_code:
            return [nodes.literal_block(text, text, language="python")]
        return self._blocks(text)

    def _link(self, section: str) -> element:
        """To the section by its heading; the test of the site's links says if it isn't there."""
        anchor = f"#{nodes.make_id(section)}"
        to = nodes.reference("", "", *self._inline(section), refuri=anchor, internal=True)
        return tag("p", "Read again: ", to, class_="rl-section")

    def _blocks(self, text: str) -> list[nodes.Node]:
        return self.parse_text_to_nodes(text) if text else []

    def _inline(self, text: str) -> list[nodes.Node]:
        found, messages = self.parse_inline(text)
        return [*found, *messages]


def _number_field(number: Number) -> element:
    field = tag(
        "input",
        type="number",
        step="any",
        inputmode="decimal",
        required=True,
        autocomplete="off",
    )
    unit = [tag("span", number.unit)] if number.unit else []
    return tag("label", tag("span", "Your number"), field, *unit, class_="rl-number")


def _marks() -> element:
    """How the reader's own answer compares is for the reader to say."""
    return tag(
        "p",
        tag("span", "Was yours as good?"),
        tag("button", "Yes", type="submit", value="yes"),
        tag("button", "Not yet", type="submit", value="no"),
        class_="rl-marks",
        hidden=True,
    )


def _readable(value: float, unit: str) -> str:
    """65536.0, 'weights' -> '65,536 weights'."""
    return f"{value:,.10g} {unit}".strip()


def _visit(translator: HTML5Translator, node: element) -> None:
    written = "".join(
        f" {name.strip('_').replace('_', '-')}"
        + ("" if value is True else f'="{html.escape(value)}"')
        for name, value in node["attributes"].items()
        if value is not False
    )
    translator.body.append(f"<{node['tag']}{written}>")


def _depart(translator: HTML5Translator, node: element) -> None:
    if node["tag"] != "input":
        translator.body.append(f"</{node['tag']}>\n" if node["tag"] != "label" else "</label>")


def _add_files(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Script and style only where there is a quiz."""
    if isinstance(doctree, nodes.document) and next(doctree.findall(element), None) is not None:
        app.add_js_file("quiz.js", loading_method="defer")
        app.add_css_file("quiz.css")


def _add_static(app: Sphinx) -> None:
    app.config.html_static_path.append(str(STATIC))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("quiz", Quiz)
    app.add_node(element, html=(_visit, _depart))
    app.connect("builder-inited", _add_static)
    app.connect("html-page-context", _add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The directives `quiz` and `question-bank`: questions as HTML that can be read before any script
runs.

    :::{quiz}
    What a reader of the notebook sees in this place.
    :::

    :::{question-bank}
    What a reader of the page's source sees in this place.
    :::

The first sets the questions of its chapter, the second those of all chapters. Texts are parsed as
the page's own, so that formulas are set while the site is built. Answers stand folded below their
question; quiz.js takes its replies from there, and bank.js chooses and shuffles.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

from builder.paths import ROOT
from builder.quiz.bank import (
    KINDS,
    LEVELS,
    Chapter,
    Choice,
    Number,
    Question,
    QuestionError,
    chapters,
    load,
    questions_of,
)

STATIC = Path(__file__).parent / "static"


_INLINE = {"label", "span", "strong"}
# How the page calls the kinds.
_KINDS = dict(zip(KINDS, ("Choice", "Short answer", "Code", "Derivation"), strict=True))


class element(nodes.General, nodes.TextElement):
    """An HTML element: `tag`, its `attributes`, and whatever nodes stand in it, text included."""


def tag(name: str, /, *children: nodes.Node | str, **attributes: str | bool) -> element:
    """Make an element. An attribute that is True has no value, one that is False is left out;
    `data_id` and `class_` become `data-id` and `class`."""
    made = element("", tag=name, attributes=attributes)
    made += [nodes.Text(child) if isinstance(child, str) else child for child in children]
    return made


class _Questions(SphinxDirective):
    """Sets questions; where, and which, the directives say."""

    has_content = True

    def _form(self, question: Question, title: str, chapter: str = "") -> element:
        """A question. Where it stands on another page than its chapter's, `chapter` leads there
        from this page; what to choose it by comes along."""
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
            self._link(question.section, chapter),
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
            data_chapter=bool(chapter) and str(question.chapter),
            data_level=bool(chapter) and question.level,
            data_kind=bool(chapter) and question.kind,
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

    def _link(self, section: str, chapter: str) -> element:
        """To the section by its heading; the test of the site's links says if it isn't there."""
        anchor = f"{chapter}#{nodes.make_id(section)}"
        to = nodes.reference("", "", *self._inline(section), refuri=anchor, internal=True)
        return tag("p", "Read again: ", to, class_="rl-section")

    def _blocks(self, text: str) -> list[nodes.Node]:
        return self.parse_text_to_nodes(text) if text else []

    def _inline(self, text: str) -> list[nodes.Node]:
        found, messages = self.parse_inline(text)
        return [*found, *messages]


class Quiz(_Questions):
    """Sets the questions of the page's chapter in the place of what the notebook says."""

    def run(self) -> list[nodes.Node]:
        path = questions_of(Path(self.env.docname).name)
        self.env.note_dependency(str(path))
        try:
            questions = load(path, ROOT / f"{self.env.docname}.ipynb")
        except QuestionError as error:
            raise self.error(str(error)) from None
        forms = [
            self._form(question, f"Question {place} of {len(questions)}")
            for place, question in enumerate(questions, 1)
        ]
        again = tag("button", "Start again", type="button", class_="rl-again", hidden=True)
        foot = tag("div", _score(), again, _kept(), class_="rl-quiz-foot")
        return [tag("div", _without(), *forms, foot, class_="rl-quiz")]


class QuestionBank(_Questions):
    """Sets the questions of all chapters, with what chooses among them."""

    def run(self) -> list[nodes.Node]:
        try:
            whole = chapters()
        except QuestionError as error:
            raise self.error(str(error)) from None
        for chapter in whole:
            self.env.note_dependency(str(questions_of(chapter.name)))
        return [
            tag("p", _sums(whole), class_="rl-sums"),
            tag(
                "div",
                _without(),
                _panel(whole),
                *map(self._group, whole),
                tag("div", class_="rl-shuffled"),
                tag("div", _kept(), class_="rl-quiz-foot"),
                class_="rl-quiz rl-bank",
            ),
        ]

    def _group(self, chapter: Chapter) -> element:
        address = f"../chapters/{chapter.name}.html"
        link = nodes.reference("", "", nodes.Text(chapter.title), refuri=address, internal=True)
        forms = [
            self._form(q, f"Chapter {q.chapter} \u00b7 {_kind(q)} \u00b7 {q.level}", address)
            for q in chapter.questions
        ]
        return tag(
            "div", tag("h2", link, id=f"chapter-{chapter.number}"), *forms, class_="rl-group"
        )


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


def _score() -> element:
    return tag("p", class_="rl-score")


def _kept() -> element:
    return tag("p", "Answers stay in this browser; nothing is sent.", class_="rl-kept")


def _without() -> element:
    return tag(
        "p",
        "Without JavaScript nothing replies here; the answers are folded below the questions.",
        class_="rl-without",
    )


def _kind(question: Question) -> str:
    return "number" if question.number else _KINDS[question.kind].lower()


def _sums(whole: Iterable[Chapter]) -> str:
    """How many questions there are: '52 questions: 24 choices, ...'."""
    questions = [question for chapter in whole for question in chapter.questions]
    kinds = Counter(question.kind for question in questions)
    levels = Counter(question.level for question in questions)
    numbers = sum(question.number is not None for question in questions)
    return (
        f"{len(questions)} questions: {kinds['choice']} with choices, {kinds['short']} for a "
        f"number or a few words ({numbers} for a number), {kinds['code']} for code, "
        f"{kinds['derivation']} for a derivation; {levels['easy']} are easy, {levels['medium']} "
        f"medium, {levels['hard']} hard."
    )


def _panel(whole: Iterable[Chapter]) -> element:
    """What chooses among the questions; bank.js shows it, and does what it says."""
    named = [(str(chapter.number), chapter.title) for chapter in whole]
    levels = [(level, level.capitalize()) for level in LEVELS]
    answered = [("none", "Not answered yet"), ("wrong", "Answered wrong"), ("right", "Right")]
    fields = (
        _select("chapter", "Chapter", "All", named),
        _select("level", "Level", "All", levels),
        _select("kind", "Kind", "All", _KINDS.items()),
        _select("answered", "Your answer", "Any", answered),
        tag(
            "label",
            tag("span", "Words"),
            tag("input", type="search", name="words", maxlength="100", autocomplete="off"),
        ),
    )
    buttons = (
        tag("button", "Shuffle", type="button", class_="rl-shuffle"),
        tag("button", "In order", type="button", class_="rl-order", hidden=True),
        tag("button", "Show all", type="button", class_="rl-all", hidden=True),
        tag("button", "Print these", type="button", data_action="print"),
        tag(
            "label",
            tag("input", type="checkbox", class_="rl-print", checked=True, autocomplete="off"),
            tag("span", "with answers"),
        ),
        tag("button", "Forget my answers to these", type="button", class_="rl-forget", hidden=True),
    )
    sure = tag(
        "dialog",
        tag("p", tag("strong", class_="rl-what"), id="rl-forget-what"),
        tag(
            "p", "They go from the chapters and from your progress, too. This can't be taken back."
        ),
        tag(
            "p",
            tag("button", "Keep them", type="button", class_="rl-keep", autofocus=True),
            tag("button", "Forget them", type="button", class_="rl-really"),
            class_="rl-marks",
        ),
        aria_labelledby="rl-forget-what",
    )
    return tag(
        "div",
        tag("div", *fields, class_="rl-fields"),
        tag("div", *buttons, class_="rl-marks"),
        tag(
            "p", tag("span", class_="rl-count", role="status"), " ", tag("span", class_="rl-score")
        ),
        sure,
        class_="rl-controls",
        role="group",
        aria_label="Choose questions",
        hidden=True,
    )


def _select(name: str, label: str, none: str, options: Iterable[tuple[str, str]]) -> element:
    listed = [tag("option", text, value=value) for value, text in [("", none), *options]]
    select = tag("select", *listed, name=name, autocomplete="off")
    return tag("label", tag("span", label), select)


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
        end = "" if node["tag"] in _INLINE else "\n"
        translator.body.append(f"</{node['tag']}>{end}")


def _add_files(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Scripts and style only where there are questions."""
    found = list(doctree.findall(element)) if isinstance(doctree, nodes.document) else []
    if found:
        app.add_js_file("quiz.js", loading_method="defer")
        app.add_css_file("quiz.css")
    if any("rl-bank" in str(each["attributes"].get("class_")) for each in found):
        app.add_js_file("bank.js", loading_method="defer")


def _add_static(app: Sphinx) -> None:
    app.config.html_static_path.append(str(STATIC))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("quiz", Quiz)
    app.add_directive("question-bank", QuestionBank)
    app.add_node(element, html=(_visit, _depart))
    app.connect("builder-inited", _add_static)
    app.connect("html-page-context", _add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""QTI 1.2, which Canvas imports: a quiz for each chapter, in a content package.

Choices and numbers are marked by the program, all else is an essay. The names of the fields are
those that Canvas gives its own exports; QTI leaves them open.
"""

from __future__ import annotations

from xml.etree import ElementTree

from builder.quiz.exports.archive import packed
from builder.quiz.exports.items import Item, Part, readable

_QTI = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"
_PACKAGE = "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1"
_SCHEMA = "http://www.w3.org/2001/XMLSchema-instance"
_TYPES = {"choice": "multiple_choice_question", "number": "numerical_question"}


def package(parts: tuple[Part, ...]) -> bytes:
    """The zip file: a manifest, and a file for each chapter."""
    files = {}
    manifest = ElementTree.Element(
        "manifest", {"identifier": "residual-connections", "xmlns": _PACKAGE}
    )
    about = _add(manifest, "metadata")
    _add(about, "schema", "IMS Content")
    _add(about, "schemaversion", "1.1.3")
    _add(manifest, "organizations")
    resources = _add(manifest, "resources")
    for part in parts:
        name = f"residual-connections-{part.number:02}"
        path = f"{name}/{name}.xml"
        files[path] = _written(_quiz(part, name))
        resource = _add(resources, "resource", identifier=name, type="imsqti_xmlv1p2")
        _add(resource, "file", href=path)
    return packed({"imsmanifest.xml": _written(manifest), **files})


def _quiz(part: Part, name: str) -> ElementTree.Element:
    root = ElementTree.Element(
        "questestinterop",
        {
            "xmlns": _QTI,
            "xmlns:xsi": _SCHEMA,
            "xsi:schemaLocation": f"{_QTI} http://www.imsglobal.org/xsd/ims_qtiasiv1p2p1.xsd",
        },
    )
    title = f"Residual connections, {part.title}"
    section = _add(
        _add(root, "assessment", ident=name, title=title), "section", ident="root_section"
    )
    for item in part.items:
        _item(section, item)
    return root


def _item(section: ElementTree.Element, item: Item) -> None:
    element = _add(section, "item", ident=f"residual-{item.id}", title=item.id)
    kind = "number" if item.number else item.kind
    about = _add(_add(element, "itemmetadata"), "qtimetadata")
    fields = {
        "question_type": _TYPES.get(kind, "essay_question"),
        "points_possible": "1",
        "qmd_levelofdifficulty": item.level,
    }
    for label, entry in fields.items():
        field = _add(about, "qtimetadatafield")
        _add(field, "fieldlabel", label)
        _add(field, "fieldentry", entry)
    presentation = _add(element, "presentation")
    _material(presentation, item.text)
    processing = _add(element, "resprocessing")
    _add(
        _add(processing, "outcomes"),
        "decvar",
        varname="SCORE",
        vartype="Decimal",
        minvalue="0",
        maxvalue="100",
    )
    feedback: dict[str, str] = {}
    if item.choices:
        _choice(presentation, processing, feedback, item)
    elif item.number:
        _number(presentation, processing, feedback, item)
    else:
        _essay(presentation, processing, feedback, item)
    for ident, html in feedback.items():
        _material(_add(_add(element, "itemfeedback", ident=ident), "flow_mat"), html)


def _choice(
    presentation: ElementTree.Element,
    processing: ElementTree.Element,
    feedback: dict[str, str],
    item: Item,
) -> None:
    response = _add(presentation, "response_lid", ident="response1", rcardinality="Single")
    render = _add(response, "render_choice")
    _general(processing, feedback, item.source)
    for place, choice in enumerate(item.choices, 1):
        ident = f"answer{place}"
        _material(_add(render, "response_label", ident=ident), f"<p>{choice.shown}</p>")
        condition = _condition(processing, "Yes")
        _add(condition[0], "varequal", ident, respident="response1")
        _display(condition, f"{ident}_fb")
        feedback[f"{ident}_fb"] = choice.why
    place = item.choices.index(item.answer) + 1
    condition = _condition(processing, "No")
    _add(condition[0], "varequal", f"answer{place}", respident="response1")
    _add(condition, "setvar", "100", action="Set", varname="SCORE")


def _number(
    presentation: ElementTree.Element,
    processing: ElementTree.Element,
    feedback: dict[str, str],
    item: Item,
) -> None:
    assert item.number is not None
    response = _add(presentation, "response_str", ident="response1", rcardinality="Single")
    _add(_add(response, "render_fib", fibtype="Decimal"), "response_label", ident="answer1")
    _general(processing, feedback, item.source)
    value, tolerance = item.number.value, item.number.tolerance
    condition = _condition(processing, "No")
    either = _add(condition[0], "or")
    _add(either, "varequal", readable(value), respident="response1")
    within = _add(either, "and")
    _add(within, "vargte", readable(value - tolerance), respident="response1")
    _add(within, "varlte", readable(value + tolerance), respident="response1")
    _add(condition, "setvar", "100", action="Set", varname="SCORE")
    _display(condition, "correct_fb")
    feedback["correct_fb"] = item.answer.why
    condition = _condition(processing, "Yes")
    _add(condition[0], "other")
    _display(condition, "general_incorrect_fb")
    # A wrong number can't have a reply of its own here: they all stand in one.
    said = (f"<p>If you have {each.shown}:</p>{each.why}" for each in item.wrong)
    feedback["general_incorrect_fb"] = "".join(said)


def _essay(
    presentation: ElementTree.Element,
    processing: ElementTree.Element,
    feedback: dict[str, str],
    item: Item,
) -> None:
    response = _add(presentation, "response_str", ident="response1", rcardinality="Single")
    _add(_add(response, "render_fib"), "response_label", ident="answer1", rshuffle="No")
    wrong = (f"<p>Often answered, and wrong:</p>{each.shown}{each.why}" for each in item.wrong)
    said = [item.answer.shown, item.answer.why, *wrong, item.source]
    _general(processing, feedback, "".join(said))


def _general(processing: ElementTree.Element, feedback: dict[str, str], html: str) -> None:
    """What is said whatever the answer is."""
    condition = _condition(processing, "Yes")
    _add(condition[0], "other")
    _display(condition, "general_fb")
    feedback["general_fb"] = html


def _condition(processing: ElementTree.Element, go_on: str) -> ElementTree.Element:
    """What follows from an answer; its first child is the condition itself."""
    condition = _add(processing, "respcondition", **{"continue": go_on})
    _add(condition, "conditionvar")
    return condition


def _display(condition: ElementTree.Element, ident: str) -> None:
    _add(condition, "displayfeedback", feedbacktype="Response", linkrefid=ident)


def _material(parent: ElementTree.Element, html: str) -> None:
    _add(_add(parent, "material"), "mattext", html, texttype="text/html")


def _add(
    parent: ElementTree.Element, tag: str, text: str | None = None, **attributes: str
) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _written(root: ElementTree.Element) -> bytes:
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"

"""A matplotlib figure as a small inline SVG that takes its colours from the page around it.

Matplotlib writes an SVG for a file: absolute size, fixed colours, ids that two figures share. On a
page it should follow the page's text colour (so that dark mode needs nothing), scale to the column,
carry ids of its own, and weigh little.
"""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure

# Every colour below keeps a contrast of 3:1 on white and on dark pages (#121212 to #222832), and
# any two differ by 16 or more in CIELAB for normal sight and three kinds of colour blindness.
SERIES = ("#0077bb", "#e0640c", "#29a668", "#b2628a", "#6d5ce5", "#e50039")
INK = "#24292f"  # axes and text: replaced by the page's text colour, as black is
LABEL_SHARE = 0.5  # text in a series' colour is this much colour, the rest ink: 4.5:1

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
# What SVG assumes anyway, or what the root element says for all.
DEFAULTS = {
    "fill-rule": "nonzero",
    "stroke-linecap": "butt",
    "stroke-linejoin": "miter",
    "stroke-miterlimit": "10",
    "stroke-opacity": "1",
    "fill-opacity": "1",
    "opacity": "1",
    "stroke-width": "1",
    "stroke": "none",
    "text-anchor": "start",
    "font-size": "11px",
    "font-weight": "400",
    "font-style": "normal",
}
TEXT_COLOUR = "var(--rl-ink,currentColor)"
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
PATH_TOKEN = re.compile(r"[MLHVCSQTAZz]|-?\d*\.?\d+(?:e[-+]?\d+)?")


def serialise(figure: Figure, prefix: str) -> str:
    """The figure as one `<svg>` element without size, name or background.

    Args:
        figure: a matplotlib figure; it is left open.
        prefix: begins every id, so that figures on one page stay apart.

    Returns:
        The element as text. The same figure and prefix give the same text.
    """
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "residual_lib"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(file.getvalue())
    for tag in ("metadata", "defs/style"):
        _drop(root, tag)
    used = set(re.findall(r'(?:#)([\w-]+)(?=[")])', file.getvalue()))
    _tidy(root, prefix, used)
    _lift_styles(root)
    view = root.get("viewBox", "")
    root.attrib.clear()
    root.set("viewBox", view)
    # Matplotlib leaves the colour of black text out: it then follows the root.
    root.set("style", f"fill:{TEXT_COLOUR};font-size:{DEFAULTS['font-size']}")
    text = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
    # Inside HTML the namespace is implied; the serialiser's prefix would only hide the elements.
    text = re.sub(r'\s*xmlns(:\w+)?="[^"]*"', "", text).replace("ns0:", "")
    return re.sub(r">\s+<", "><", text).replace(" />", "/>").strip()


def _drop(root: ElementTree.Element, path: str) -> None:
    *parents, name = path.split("/")
    parent = root.find("/".join(SVG + part for part in parents)) if parents else root
    for child in [] if parent is None else parent.findall(SVG + name):
        parent.remove(child)  # type: ignore[union-attr]


def _tidy(element: ElementTree.Element, prefix: str, used: set[str]) -> None:
    """Shorten one element and all below it, in place."""
    name = element.get("id")
    if name is not None:
        del element.attrib["id"]
        if name in used:
            element.set("id", _shorten(name, prefix))
    if HREF in element.attrib:
        target = element.attrib.pop(HREF)
        inline = target.startswith("data:")  # the pixels of an image
        element.set("href", target if inline else "#" + _shorten(target[1:], prefix))
    if "clip-path" in element.attrib:
        target = element.attrib["clip-path"][5:-1]
        element.set("clip-path", f"url(#{_shorten(target, prefix)})")
    if "style" in element.attrib:
        style = _restyle(element.attrib.pop("style"), element.tag == SVG + "text")
        if style:
            element.set("style", style)
    if "d" in element.attrib:
        element.set("d", _relative(element.attrib["d"]))
    for key in ("x", "y", "width", "height", "transform"):
        if key in element.attrib:
            element.set(key, NUMBER.sub(lambda match: _short(float(match[0])), element.attrib[key]))
    turn = re.fullmatch(r"rotate\(-?0(\.0)? .*\)", element.get("transform", ""))
    if turn:
        del element.attrib["transform"]
    for child in list(element):
        _tidy(child, prefix, used)
    _unwrap(element)


def _unwrap(element: ElementTree.Element) -> None:
    """Replace groups that say nothing by what they hold, and leave out empty ones."""
    children: list[ElementTree.Element] = []
    for child in element:
        if child.tag in (SVG + "g", SVG + "defs") and not len(child):
            continue
        if child.get("style") == "fill:none" and "id" not in child.attrib:
            continue  # neither filled nor drawn round
        if child.tag == SVG + "g" and not child.attrib:
            children.extend(child)
        else:
            children.append(child)
    element[:] = children


def _lift_styles(element: ElementTree.Element) -> None:
    """Where all of a group's children share a style or clip, say it once on the group."""
    for child in element:
        _lift_styles(child)
    if element.tag != SVG + "g" or len(element) < 2:
        return
    for key in ("style", "clip-path"):
        values = {child.get(key) for child in element}
        if len(values) == 1 and element.get(key) is None and None not in values:
            element.set(key, values.pop() or "")
            for child in element:
                del child.attrib[key]


def _shorten(name: str, prefix: str) -> str:
    """Matplotlib's ids are a letter and ten digits of a hash; five are enough in one figure."""
    return f"{prefix}-{name[:6]}"


def _restyle(style: str, is_text: bool) -> str:
    """One style attribute with colours from the page and without what goes without saying."""
    parts = []
    for declaration in style.split(";"):
        key, _, value = (piece.strip() for piece in declaration.partition(":"))
        if not key or DEFAULTS.get(key) == value:
            continue
        if key == "font":
            parts += _font(value)
            continue
        if key == "font-family":
            continue  # the page's
        if key in ("fill", "stroke"):
            parts += [f"{key}:{colour}" for colour in _themed(value, is_text)]
            continue
        parts.append(f"{key}:{NUMBER.sub(lambda match: _short(float(match[0]), 2), value)}")
    return ";".join(parts)


def _font(value: str) -> list[str]:
    """Slant, weight and size of CSS's short form, "italic 700 11px 'DejaVu Sans'"."""
    size = re.search(r"[\d.]+px", value)
    found = [f"font-style:{match[0]}" for match in re.finditer(r"italic|oblique", value)]
    found += [f"font-weight:{match[0]}" for match in re.finditer(r"\bbold\b|\b[1-9]00\b", value)]
    found += [f"font-size:{size[0]}"] if size else []
    return [
        each for each in found if DEFAULTS.get(each.partition(":")[0]) != each.partition(":")[2]
    ]


def _themed(colour: str, is_text: bool) -> list[str]:
    """The values for one colour, the last being the one that a current browser takes."""
    colour = colour.lower()
    if colour in (INK, "#000000"):
        return [TEXT_COLOUR]
    if colour not in SERIES:
        return [colour]
    own = f"var(--rl-{SERIES.index(colour) + 1},{colour})"
    if not is_text:
        return [own]
    return [own, f"color-mix(in srgb,{own} {LABEL_SHARE:.0%},{TEXT_COLOUR})"]


def _short(number: float, digits: int = 1) -> str:
    text = f"{number:.{digits}f}".rstrip("0").rstrip(".")
    return re.sub(r"^(-?)0\.", r"\1.", "0" if text in ("-0", "") else text)


def _relative(path: str) -> str:
    """Path data on a grid of a tenth of a point, as steps from point to point.

    Steps between rounded points don't add up errors: each point is off by 0.05 at most.
    """
    # Arcs have flags among their numbers; matplotlib draws circles as curves and never uses arcs.
    pieces: list[str] = []
    at, start = (0, 0), (0, 0)
    command, previous = "", ""
    tokens = iter(PATH_TOKEN.findall(path))
    arity = {"M": 1, "L": 1, "Q": 2, "C": 3}
    pending: list[int] = []
    for token in tokens:
        if token.isalpha():
            command = token
            if command in "Zz":
                pieces.append("z")
                previous, at = "z", start
            continue
        pending.append(round(float(token) * 10))
        if len(pending) < 2 * arity[command]:
            continue
        points = list(zip(pending[::2], pending[1::2], strict=True))
        pending = []
        if command == "L" and points[-1] == at and previous == "l":
            continue
        letter = command if command == "M" else command.lower()
        origin = (0, 0) if command == "M" else at
        steps = [
            value - base for point in points for value, base in zip(point, origin, strict=True)
        ]
        if letter == previous:
            letter = ""
        pieces.append(letter + _join(steps, glued=bool(letter)))
        previous = command if command == "M" else command.lower()
        at = points[-1]
        if command == "M":
            start = at
            previous = "M"
    return "".join(pieces)


def _join(tenths: list[int], glued: bool) -> str:
    """Numbers in tenths, with a space only where nothing else parts them."""
    text = ""
    for index, value in enumerate(tenths):
        number = _short(value / 10)
        parted = (index == 0 and glued) or number.startswith("-")
        text += number if parted else " " + number
    return text

"""Diagrams: well-formed, named, and with every element that was asked for."""

from xml.etree import ElementTree

import pytest

from residual_lib.diagrams import block_diagram

ALT = "The input goes through the branch and along the skip."


def texts(picture):
    return [element.text for element in ElementTree.fromstring(picture.svg).iter("text")]


def test_every_element_stands_in_the_diagram():
    picture = block_diagram(
        ["conv <1>", "ReLU"], ALT, shortcut="1x1 conv", scale="times alpha", after="tanh"
    )
    found = texts(picture)
    assert found[0] == "x"
    assert found[-1] == "y"
    for part in ("conv <1>", "ReLU", "1x1 conv", "times alpha", "tanh"):
        assert found.count(part) == 1
    for slot in ("branch: F", "shortcut", "scale", "merge: add", "after"):
        assert found.count(slot) == 1
    assert picture.alt == ALT
    assert f'aria-label="{ALT}"' in picture._repr_html_()


def test_a_plain_block_has_no_skip():
    plain, residual = block_diagram(["f"], ALT, merge="none"), block_diagram(["f"], ALT)
    assert "shortcut:" in texts(residual)
    assert not {"shortcut:", "merge: add"} & set(texts(plain))
    assert plain.svg.count("--rl-1") == 0 < residual.svg.count("--rl-1")


@pytest.mark.parametrize(
    ("merge", "name"), [("gate", "merge: Highway"), ("concatenate", "merge: concatenate")]
)
def test_merges_have_names(merge, name):
    assert name in texts(block_diagram(["f"], ALT, merge=merge))


def test_more_parts_make_it_taller_and_nothing_leaves_it():
    for parts in (1, 7):
        root = ElementTree.fromstring(block_diagram(["f"] * parts, ALT, after="g").svg)
        _, _, width, height = map(float, root.get("viewBox").split())
        for box in root.iter("rect"):
            assert 0 <= float(box.get("x")) <= width - float(box.get("width"))
            assert 0 <= float(box.get("y")) <= height - float(box.get("height"))
        assert height > 50 * parts / 2


def test_colours_are_the_pages():
    svg = block_diagram(["f"], ALT).svg
    assert "currentColor" in svg
    assert "#000" not in svg


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"branch": []}, "branch must have at least one part"),
        ({"branch": ["f"], "merge": "x"}, "merge must be one of"),
        ({"branch": ["f"], "alt": ""}, "alt must say"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        block_diagram(**{"alt": ALT, **arguments})

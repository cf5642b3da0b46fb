"""The notebooks' hygiene: what goes, what stays, and that the chapters are clean."""

import copy
import importlib.util
import json

import pytest
from run_notebook import CHAPTERS, ROOT

spec = importlib.util.spec_from_file_location("clean", ROOT / "tools" / "clean_notebooks.py")
clean = importlib.util.module_from_spec(spec)
spec.loader.exec_module(clean)

VERDICTS = {"output_type": "stream", "name": "stdout", "text": ["2.1  holds\n", "2.2  holds\n"]}
WARNING = {"output_type": "stream", "name": "stderr", "text": "a bar"}
PICTURE = {"output_type": "display_data", "data": {"image/png": "aGk="}, "metadata": {}}
RICH = {
    "output_type": "execute_result",
    "execution_count": 7,
    "data": {"text/plain": "a\nb", "text/html": "<b>a</b>"},
    "metadata": {"x": 1},
}
NOTEBOOK = {
    "nbformat_minor": 4,
    "nbformat": 4,
    "metadata": {
        "kernelspec": {"display_name": "my env", "language": "python", "name": "my-env"},
        "language_info": {"name": "python", "version": "3.12.1"},
        "colab": {"provenance": []},
        "mystnb": {"execution_timeout": 60},
    },
    "cells": [
        {"cell_type": "markdown", "id": "title", "metadata": {"tags": []}, "source": "# A\n\ntext"},
        {
            "cell_type": "code",
            "id": "figure",
            "metadata": {"tags": ["hide-input"], "collapsed": False, "executionInfo": {"user": 1}},
            "source": ["1 + 1"],
            "execution_count": 3,
            "outputs": [VERDICTS, PICTURE],
        },
        {
            "cell_type": "code",
            "id": "verdicts",
            "metadata": {"tags": ["nbval-check-output"]},
            "source": "show()",
            "execution_count": 4,
            "outputs": [VERDICTS, WARNING, PICTURE, RICH],
        },
        {"cell_type": "markdown", "metadata": {}, "source": "no id", "attachments": {"a.png": {}}},
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "an id twice"},
    ],
}


@pytest.fixture
def result():
    return clean.cleaned(copy.deepcopy(NOTEBOOK))


def test_outputs_go_but_the_text_that_is_compared(result):
    assert result["cells"][1]["outputs"] == []
    kept = result["cells"][2]["outputs"]
    assert kept == [
        VERDICTS,
        {
            "output_type": "execute_result",
            "execution_count": None,
            "data": {"text/plain": ["a\n", "b"]},
            "metadata": {},
        },
    ]
    counters = [cell.get("execution_count") for cell in result["cells"]]
    assert counters == [None, None, 1, None, None]


def test_sources_tags_and_ids_stay(result):
    assert result["cells"][0]["source"] == ["# A\n", "\n", "text"]
    assert result["cells"][1]["metadata"] == {"tags": ["hide-input"]}
    assert [cell["id"] for cell in result["cells"][:3]] == ["title", "figure", "verdicts"]
    assert result["cells"][3]["attachments"] == {"a.png": {}}


def test_missing_and_double_ids_are_replaced_by_lasting_ones(result):
    ids = [cell["id"] for cell in result["cells"]]
    assert len(set(ids)) == 5
    assert ids == [cell["id"] for cell in clean.cleaned(copy.deepcopy(NOTEBOOK))["cells"]]


def test_metadata_says_nothing_of_the_machine(result):
    assert result["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "mystnb": {"execution_timeout": 60},
    }


def test_what_is_clean_stays_as_it_is(result):
    once = clean.written(result)
    assert clean.written(clean.cleaned(json.loads(once))) == once


def test_the_layout_is_jupyters_own(result):
    nbformat = pytest.importorskip("nbformat")
    own = nbformat.writes(nbformat.from_dict(clean.cleaned(result)))
    assert json.loads(own) == json.loads(clean.written(result))
    assert own.rstrip("\n") == clean.written(result).rstrip("\n")


def test_the_command_cleans_or_checks(tmp_path, capsys):
    path = tmp_path / "one.ipynb"
    path.write_text(json.dumps(NOTEBOOK))
    assert clean.main(["--check", str(path)]) == 1
    assert "one.ipynb: not clean" in capsys.readouterr().err
    assert json.loads(path.read_text()) == NOTEBOOK
    assert clean.main([str(path)]) == 0
    assert capsys.readouterr().out == "one.ipynb: cleaned\n"
    assert clean.main(["--check", str(path)]) == 0
    assert clean.main([str(path)]) == 0
    assert capsys.readouterr().out == ""


def test_a_compared_cell_without_output_is_an_error(tmp_path, capsys):
    notebook = copy.deepcopy(NOTEBOOK)
    notebook["cells"][2]["outputs"] = [WARNING]
    path = tmp_path / "one.ipynb"
    path.write_text(json.dumps(notebook))
    assert clean.main([str(path)]) == 1
    assert "cell 2 is compared but has no output" in capsys.readouterr().err


@pytest.mark.parametrize("notebook", CHAPTERS, ids=lambda path: path.stem)
def test_the_chapters_are_clean(notebook):
    assert clean.main(["--check", str(notebook)]) == 0

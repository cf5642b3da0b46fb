"""Clean notebooks: no stray outputs, ids kept, metadata in order.

    python tools/clean_notebooks.py            clean every chapter
    python tools/clean_notebooks.py --check    only say what is not clean; exit code 1 if something

Cells tagged `nbval-check-output` keep their text output, because the tests compare it. Everything
else that running a notebook leaves behind goes: other outputs, counters, timings, editors' marks.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

CHAPTERS = Path(__file__).resolve().parents[1] / "chapters"
COMPARED = "nbval-check-output"
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_METADATA = ("deletable", "editable", "mystnb", "nbgrader", "tags")


def cleaned(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook as it should be committed."""
    ids: set[str] = set()
    kept = {key: notebook["metadata"][key] for key in ("mystnb",) if key in notebook["metadata"]}
    return {
        "cells": [_cell(cell, ids) for cell in notebook["cells"]],
        "metadata": {**kept, **NOTEBOOK_METADATA},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def complaints(notebook: dict[str, Any]) -> list[str]:
    """What cleaning can't mend."""
    return [
        f"cell {number} is compared but has no output: run the notebook and save it"
        for number, cell in enumerate(notebook["cells"])
        if _is_compared(cell) and not cell["outputs"]
    ]


def written(notebook: dict[str, Any]) -> str:
    """The file's text: the order and layout in which Jupyter writes."""
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _cell(cell: dict[str, Any], ids: set[str]) -> dict[str, Any]:
    source = _lines(cell["source"])
    metadata = {key: value for key, value in cell["metadata"].items() if key in CELL_METADATA}
    if metadata.get("tags") == []:
        del metadata["tags"]
    clean = {
        "cell_type": cell["cell_type"],
        "id": _id(cell.get("id"), source, ids),
        "metadata": metadata,
        "source": source,
    }
    if cell.get("attachments"):
        clean["attachments"] = cell["attachments"]
    if cell["cell_type"] == "code":
        outputs = cell["outputs"] if _is_compared(cell) else []
        clean["outputs"] = [text for output in outputs for text in _text(output)]
        # nbval takes outputs without a counter for a mistake; any number will do.
        clean["execution_count"] = 1 if clean["outputs"] else None
    return clean


def _is_compared(cell: dict[str, Any]) -> bool:
    return cell["cell_type"] == "code" and COMPARED in cell["metadata"].get("tags", [])


def _id(given: str | None, source: list[str], ids: set[str]) -> str:
    """The id that the cell has; one from its text if it has none or another cell has the same."""
    new, count = given, 0
    while not new or new in ids:
        new = hashlib.sha256(f"{count}{''.join(source)}".encode()).hexdigest()[:8]
        count += 1
    ids.add(new)
    return new


def _text(output: dict[str, Any]) -> list[dict[str, Any]]:
    """The output's text, without pictures, markup, counters and warnings."""
    if output["output_type"] == "stream" and output["name"] == "stdout":
        return [{**output, "text": _lines(output["text"])}]
    if "text/plain" in output.get("data", {}):
        plain = {"text/plain": _lines(output["data"]["text/plain"])}
        text = {"output_type": output["output_type"], "data": plain, "metadata": {}}
        counter = {"execution_count": None} if output["output_type"] == "execute_result" else {}
        return [{**text, **counter}]
    return []


def _lines(text: str | list[str]) -> list[str]:
    return "".join(text).splitlines(keepends=True)


def main(arguments: list[str] | None = None) -> int:
    """Clean or check files; the exit code is 1 if something is left to do."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="default: every chapter")
    parser.add_argument("--check", action="store_true", help="change nothing, only report")
    options = parser.parse_args(arguments)
    found = []
    for path in options.files or sorted(CHAPTERS.glob("*.ipynb")):
        before = path.read_text(encoding="utf-8")
        notebook = cleaned(json.loads(before))
        after = written(notebook)
        found += [f"{path.name}: {complaint}" for complaint in complaints(notebook)]
        if after != before and options.check:
            found.append(f"{path.name}: not clean; run python tools/clean_notebooks.py")
        elif after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{path.name}: cleaned")
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""What `make audit` says of Lighthouse's marks, without Lighthouse."""

from __future__ import annotations

import audit

GOOD = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}


def test_marks_that_are_too_low_are_named() -> None:
    marks = {"a.html": GOOD, "b.html": GOOD | {"performance": 94, "seo": 99}}
    assert audit.below({"a.html": GOOD}) == []
    assert audit.below(marks) == [
        "b.html: performance 94, at least 95 is wanted",
        "b.html: seo 99, at least 100 is wanted",
    ]


def test_table_has_a_line_for_each_page() -> None:
    head, *lines = audit.table({"a.html": GOOD, "folder/b.html": GOOD}).splitlines()
    assert head.split() == ["page", *GOOD]
    assert [line.split() for line in lines] == [
        [page, "95", "100", "100", "100"] for page in ("a.html", "folder/b.html")
    ]

"""A class's predictions, from the files that readers save on the page of progress.

    >>> from residual_lib import classroom
    >>> group = classroom.read(["ada.json", "ben.json"])  # doctest: +SKIP
    >>> classroom.write(group, "class")  # doctest: +SKIP

A file carries the questions that it answers, with their axes and what was measured when the site
was built. So nothing but the files is needed, and there is no second list of questions to keep.
Files come from anybody: what doesn't fit is left out and named, and texts are only ever text.
"""

from residual_lib.classroom.files import Class, Student, read
from residual_lib.classroom.questions import Choices, Drawn, Number, Question
from residual_lib.classroom.report import summary, write

__all__ = [
    "Choices",
    "Class",
    "Drawn",
    "Number",
    "Question",
    "Student",
    "read",
    "summary",
    "write",
]

"""What a learner's work is checked against.

    >>> from residual_lib.exercises import check
    >>> check("1.1", ...)  # doctest: +ELLIPSIS
    1.1 not started yet: ...

Each chapter has a module here with a tuple ``EXERCISES``; solutions are the files in
``solutions/``.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import lru_cache
from typing import Any

from residual_lib.exercises.base import Exercise, Mistake, Outcome
from residual_lib.exercises.comparing import Difference, difference
from residual_lib.exercises.judging import Judgement, judge
from residual_lib.exercises.running import run

__all__ = [
    "Difference",
    "Exercise",
    "Judgement",
    "Mistake",
    "Outcome",
    "check",
    "difference",
    "examine",
    "get",
    "judge",
    "list_exercises",
    "run",
]


def check(id: str, answer: Any) -> None:
    """Print whether `answer` is right for the exercise, or a hint that says what isn't.

    Never raises, whatever `answer` is or does (KeyboardInterrupt passes).

    Args:
        id: the exercise's number in quotes, such as "1.2".
        answer: the learner's function, module or value.
    """
    try:
        exercise = get(id)
    except ValueError as error:
        print(f"Nothing checked: {error}.")
        return
    try:
        message = examine(exercise, answer).message
    except Exception as error:  # an object that raises even when it is looked at
        message = f"{id} not yet: your answer can't be looked at ({type(error).__name__})."
    print(message)


def examine(exercise: Exercise, answer: Any, seed: int = 0) -> Judgement:
    """Run `answer` on the inputs of `seed` and judge what came of it."""
    cases = exercise.cases(seed)
    return judge(exercise, cases, run(exercise, answer, cases))


def list_exercises(chapter: int | None = None) -> list[Exercise]:
    """All exercises, or those of a chapter, in the order of their numbers."""
    return [e for e in _all().values() if chapter in (None, e.chapter)]


def get(id: str) -> Exercise:
    """The exercise of that number.

    Raises:
        ValueError: there is none; the message names those that there are.
    """
    known = _all()
    if isinstance(id, str) and id in known:
        return known[id]
    if not isinstance(id, str):
        raise ValueError(f'the number of an exercise goes in quotes, as in check("1.2", ...): {id}')
    near = difflib.get_close_matches(id, known, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"there is no exercise {id!r}{hint}; there are: {', '.join(known)}")


@lru_cache(maxsize=1)
def _all() -> dict[str, Exercise]:
    found: list[Exercise] = []
    for module in pkgutil.iter_modules(__path__):
        chapter = importlib.import_module(f"{__name__}.{module.name}")
        found += getattr(chapter, "EXERCISES", ())
    found.sort(key=lambda e: [int(part) for part in e.id.split(".")])
    known = {exercise.id: exercise for exercise in found}
    if len(known) < len(found):
        numbers = [exercise.id for exercise in found]
        twice = sorted({n for n in numbers if numbers.count(n) > 1})
        raise RuntimeError(f"exercises with the same number: {', '.join(twice)}")
    return known

"""What an exercise is: a question, inputs to try, and what is right for each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residual_lib.exercises.comparing import Difference, describe, difference

TIERS = ("recall", "apply", "explore")

Arguments = tuple[Any, ...]
Inputs = Callable[[int], list[Arguments]]
Comparison = Callable[[Any, Any], Difference | None]


def call(answer: Callable[..., Any], *args: Any) -> Any:
    """How most answers are observed: the learner's function is called."""
    return answer(*args)


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that many give.

    Attributes:
        expected: what this mistake gives for the inputs, in the place of `Exercise.expected`.
        hint: what to say to who made it; one or two sentences.
    """

    expected: Callable[..., Any]
    hint: str


@dataclass(frozen=True)
class Outcome:
    """What came of one input.

    Attributes:
        status: 'ok', 'not started', 'unfit' (it can't be called like that), 'raised',
            'too slow', 'changed its input'.
        value: the output, where the status is 'ok'.
        detail: what happened, where it isn't; a sentence without a full stop.
    """

    status: str
    value: Any = None
    detail: str = ""


@dataclass(frozen=True)
class Exercise:
    """One exercise with what is needed to judge an answer.

    Running the learner's code, knowing what is right, and comparing the two are three
    separate things, so that each can be done in another process: `observe` does the
    first, `expected` the second, `compare` the third.

    Attributes:
        id: '<chapter>.<number>', such as '1.2'.
        title: a few words.
        statement: what to do, in one line.
        tier: 'recall', 'apply' or 'explore'.
        template: source of the cell that the learner fills in. Places to fill in hold ``...``.
        answer: expression, over the names of the template, that is given to `check`.
        expected: ``expected(*args)`` is the right output: a number, bool, string, array,
            tensor, or a list, tuple or dict of these. Its argument names appear in hints.
        inputs: ``inputs(seed)`` is a list of tuples of arguments: plain data only, the
            simplest first, because hints show the first that fails. None: the answer is
            a value and not a function.
        observe: ``observe(answer, *args)`` runs the learner's code and gives what is
            compared. Default: ``answer(*args)``.
        comparison: compares an expected and a given output. Default: `difference` with
            `rtol` and `atol`.
        rtol, atol: tolerances, relative and absolute, as in `numpy.isclose`.
        mistakes: well-known wrong answers and what to say about them.
        hint: said with every wrong output that isn't one of the mistakes.
        points: what the exercise is worth.
        seconds: time allowed for all inputs together.

    Raises:
        ValueError: id, tier, points, seconds or template can't be as given.
    """

    id: str
    title: str
    statement: str
    tier: str
    template: str
    answer: str
    expected: Callable[..., Any]
    inputs: Inputs | None = None
    observe: Callable[..., Any] = call
    comparison: Comparison | None = None
    rtol: float = 1e-5
    atol: float = 1e-8
    mistakes: tuple[Mistake, ...] = ()
    hint: str = ""
    points: int = 1
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[1-9]\d*\.[1-9]\d*", self.id):
            raise ValueError(f"id must be '<chapter>.<number>', such as '1.2', got {self.id!r}")
        if self.tier not in TIERS:
            raise ValueError(f"{self.id}: tier must be one of {TIERS}, got {self.tier!r}")
        if self.points < 1:
            raise ValueError(f"{self.id}: points must be at least 1, got {self.points}")
        if not self.seconds > 0:
            raise ValueError(f"{self.id}: seconds must be more than 0, got {self.seconds}")
        if "..." not in self.template:
            raise ValueError(f"{self.id}: template must have a ... where the learner's work goes")

    @property
    def chapter(self) -> int:
        return int(self.id.split(".")[0])

    @property
    def cell(self) -> str:
        """Source of the notebook's cell: the template and the call of `check`.

        With the two blank lines that `ruff format` puts after a function.
        """
        return f'{self.template.strip()}\n\n\ncheck("{self.id}", {self.answer})'

    @property
    def solution(self) -> Path:
        """The file with the solution; it defines what the template defines."""
        return Path(__file__).parent / "solutions" / f"{self.id.replace('.', '_')}.py"

    @property
    def is_value(self) -> bool:
        """Whether the answer is a value, and not a function to be tried on inputs."""
        return self.inputs is None

    @property
    def argument_names(self) -> list[str]:
        """Names of the inputs, for people: those of the arguments of `expected`."""
        return list(inspect.signature(self.expected).parameters)

    def cases(self, seed: int = 0) -> list[Arguments]:
        """The inputs to try: the same for the same seed. A value is looked at once, as it is."""
        return [()] if self.inputs is None else self.inputs(seed)

    def compare(self, expected: Any, got: Any) -> Difference | None:
        """What is different in `got`, or None where it is right. Never raises."""
        try:
            if self.comparison is not None:
                return self.comparison(expected, got)
            return difference(expected, got, rtol=self.rtol, atol=self.atol)
        except Exception:  # the learner's object may do anything when it is looked at
            return Difference(f"got {describe(got)}, which can't be compared", "type")

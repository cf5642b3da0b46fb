"""From outputs to a judgement. Pure: outputs may come from another process, as data."""

from __future__ import annotations

from dataclasses import dataclass

from residual_lib.exercises.base import Arguments, Exercise, Outcome
from residual_lib.exercises.comparing import describe, pattern


@dataclass(frozen=True)
class Judgement:
    """Whether an answer passed, and what to tell the learner."""

    passed: bool
    message: str


def judge(exercise: Exercise, cases: list[Arguments], outcomes: list[Outcome]) -> Judgement:
    """Compare what came of each case with what is right.

    Args:
        exercise: the exercise.
        cases: the inputs that were tried.
        outcomes: what came of them, in the same order; they may end at the first that
            isn't 'ok'.

    Raises:
        ValueError: there are more outcomes than cases, or fewer and all of them are 'ok'.
    """
    stopped = any(outcome.status != "ok" for outcome in outcomes)
    if len(outcomes) > len(cases) or (len(outcomes) < len(cases) and not stopped):
        raise ValueError(
            f"outcomes must be one for each of {len(cases)} cases, got {len(outcomes)}"
        )
    for args, outcome in zip(cases, outcomes, strict=False):
        if outcome.status != "ok":
            return Judgement(False, _stopped(exercise, args, outcome))
        if _wrong(exercise, args, outcome):
            return Judgement(False, _differs(exercise, args, outcome, cases, outcomes))
    tried = "" if exercise.is_value else f" Tried on {len(cases)} inputs."
    return Judgement(True, f"{exercise.id} passed: {exercise.title}.{tried}")


def _wrong(exercise: Exercise, args: Arguments, outcome: Outcome) -> bool:
    return exercise.compare(exercise.expected(*args), outcome.value) is not None


def _stopped(exercise: Exercise, args: Arguments, outcome: Outcome) -> str:
    if outcome.status == "not started":
        return (
            f"{exercise.id} not started yet: {exercise.statement.rstrip('.')}. "
            "Put your work where the ... is, then run the cell again."
        )
    if outcome.status == "unfit":
        return _not_yet(exercise, outcome.detail)
    return _not_yet(exercise, f"with {_inputs(exercise, args)} your code {outcome.detail}")


def _not_yet(exercise: Exercise, text: str, hint: str = "") -> str:
    end = "" if text.endswith("?") else "."
    return f"{exercise.id} not yet: {text}{end} {hint}".rstrip()


def _differs(
    exercise: Exercise,
    args: Arguments,
    outcome: Outcome,
    cases: list[Arguments],
    outcomes: list[Outcome],
) -> str:
    found = exercise.compare(exercise.expected(*args), outcome.value)
    assert found is not None
    if outcome.value is None and not exercise.is_value:
        text = "your function gave None; does it end with return?"
    elif exercise.is_value and found.kind == "value":
        text = f"{describe(outcome.value)} isn't right"  # the right value stays for the learner
    elif exercise.is_value:
        text = found.text
    else:
        text = f"with {_inputs(exercise, args)}: {found.text}"
    hint = _mistake(exercise, cases, outcomes)
    if not hint and found.kind == "value":  # how to compute it doesn't help with a wrong type
        hint = _regularity(exercise, cases, outcomes) or exercise.hint
    return _not_yet(exercise, text, hint)


def _mistake(exercise: Exercise, cases: list[Arguments], outcomes: list[Outcome]) -> str:
    """The hint of the known mistake that gives all of these outputs."""
    if any(outcome.status != "ok" for outcome in outcomes):
        return ""
    for mistake in exercise.mistakes:
        pairs = zip(cases, outcomes, strict=True)
        if all(exercise.compare(mistake.expected(*args), o.value) is None for args, o in pairs):
            return mistake.hint
    return ""


def _regularity(exercise: Exercise, cases: list[Arguments], outcomes: list[Outcome]) -> str:
    """What all outputs have in common; of a value, this would tell the answer."""
    if exercise.is_value or any(outcome.status != "ok" for outcome in outcomes):
        return ""
    return pattern([exercise.expected(*args) for args in cases], [o.value for o in outcomes])


def _inputs(exercise: Exercise, args: Arguments) -> str:
    named = zip(exercise.argument_names, args, strict=False)
    return ", ".join(f"{name} = {describe(value)}" for name, value in named)

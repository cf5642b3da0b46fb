"""Run a learner's code, whatever it does, and keep what it gave."""

from __future__ import annotations

import copy
import inspect
import random
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

from residual_lib.exercises.base import Arguments, Exercise, Outcome, call
from residual_lib.exercises.comparing import describe, difference


class _TimeUp(BaseException):
    """Not an `Exception`, so that ``except Exception`` in a learner's loop lets it through."""


def run(exercise: Exercise, answer: Any, cases: list[Arguments]) -> list[Outcome]:
    """Observe `answer` on each case, and stop at the first that doesn't give an output.

    Every case gets its own copy of the inputs. The global random generators of Python, NumPy
    and PyTorch are seeded, and given back as they were. Nothing that the learner's code raises
    gets out, except KeyboardInterrupt. Where the system can (POSIX, main thread), it is stopped
    after ``exercise.seconds``; code that stays inside one C call, or catches everything for
    ever, can't be stopped from within the process.
    """
    unfit = _unfit(exercise, answer, cases)
    if unfit:
        return [unfit]
    if exercise.is_value:
        return [Outcome("ok", answer)]
    outcomes: list[Outcome] = []
    with _generators_restored():
        try:
            with _time_limit(exercise.seconds):
                for args in cases:
                    outcomes.append(_observe(exercise, answer, args))
                    if outcomes[-1].status != "ok":
                        break
        except _TimeUp:
            text = f"took longer than {exercise.seconds:g} s; is there a loop that doesn't end?"
            outcomes.append(Outcome("too slow", detail=text))
    return outcomes


def _unfit(exercise: Exercise, answer: Any, cases: list[Arguments]) -> Outcome | None:
    """What is wrong before anything has run."""
    if _holds_ellipsis(answer):
        return Outcome("not started")
    if exercise.is_value:
        if inspect.isroutine(answer):
            text = f"this exercise takes a value, but got {describe(answer)}; call it first"
            return Outcome("unfit", detail=text)
        return None
    if not callable(answer):
        text = f"this exercise takes {exercise.answer} itself, not its result: got "
        return Outcome("unfit", detail=text + describe(answer))
    # How an answer is called is known only where observing it means calling it.
    if inspect.isroutine(answer) and exercise.observe is call:
        try:
            inspect.signature(answer).bind(*cases[0])
        except TypeError as error:
            names = ", ".join(exercise.argument_names)
            return Outcome("unfit", detail=f"it is called as {exercise.answer}({names}): {error}")
        except ValueError:  # some built-in functions have no signature
            return None
    return None


def _observe(exercise: Exercise, answer: Any, args: Arguments) -> Outcome:
    given = copy.deepcopy(args)
    try:
        value = exercise.observe(answer, *given)
    except (KeyboardInterrupt, _TimeUp):
        raise
    except BaseException as error:
        text = _raised(error)
        unfinished = isinstance(error, TypeError) and "ellipsis" in text
        return Outcome("not started" if unfinished else "raised", detail=text)
    if _holds_ellipsis(value):
        return Outcome("not started")
    for name, before, after in zip(exercise.argument_names, args, given, strict=False):
        if _changed(before, after):
            text = f"changed its argument {name}; work on a copy of it"
            return Outcome("changed its input", detail=text)
    return Outcome("ok", value)


def _holds_ellipsis(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(item is ... for item in value)
    return value is ... or value is NotImplemented


def _changed(before: Any, after: Any) -> bool:
    try:
        return difference(before, after, rtol=0, atol=0) is not None
    except TypeError:  # not plain data, so there is no telling
        return False


def _raised(error: BaseException) -> str:
    """The error in one line, with the line of the learner's code that it came from."""
    try:
        message = str(error).strip().split("\n")[0]
    except Exception:  # an exception class of the learner's may do anything
        message = ""
    text = f"raised {type(error).__name__}" + (f": {message[:200]}" if message else "")
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if Path(frame.filename).parent != _HERE]
    if theirs and theirs[0].line:
        # The first frame outside is the learner's own; the last may be deep in a library.
        own = [frame for frame in theirs if frame.filename == theirs[0].filename][-1]
        text += f" (in line {own.lineno}: {own.line})"
    return text


_HERE = Path(__file__).parent


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    # Again every second, for code that catches even this once.
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


@contextmanager
def _generators_restored() -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(0)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002

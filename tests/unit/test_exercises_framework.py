"""`check` against learners' code of every kind: it never raises, and says something that helps."""

from __future__ import annotations

import json
import random
import signal
import sys
import threading
import time
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import residual_lib.exercises as package
from residual_lib.exercises import (
    Exercise,
    Mistake,
    Outcome,
    check,
    difference,
    examine,
    get,
    judge,
    list_exercises,
    run,
)
from residual_lib.exercises.comparing import describe, pattern

DOUBLE = Exercise(
    id="9.1",
    title="Double",
    statement="Return twice x.",
    tier="apply",
    template="def double(x):\n    return ...",
    answer="double",
    expected=lambda x: 2 * x,
    inputs=lambda seed: [(np.array([1.0, 2.0]),), (np.array([3.0 + seed, 5.0]),)],
    mistakes=(Mistake(lambda x: x**2, "That is the square."),),
    hint="Think of x + x.",
    seconds=0.3,
)
VALUE = replace(DOUBLE, id="9.2", answer="number", inputs=None, expected=lambda: 42, mistakes=())


def message(exercise, answer):
    judgement = examine(exercise, answer)
    assert not judgement.passed
    assert "\n" not in judgement.message
    assert "Traceback" not in judgement.message
    assert "?." not in judgement.message
    return judgement.message


def test_right_answers_in_any_clothes():
    for double in (
        lambda x: x + x,
        lambda x: torch.tensor(2 * x),
        lambda x: torch.tensor(2 * x, dtype=torch.float32, requires_grad=True),
        lambda x: torch.tensor(2 * x).bfloat16(),
        lambda x: (2 * x).tolist(),
        lambda x: tuple((2 * x).astype(int)),
        lambda x: [torch.tensor(2 * v) for v in x],
        SimpleNamespace(double=lambda x: 2 * x).double,
        type("Callable", (), {"__call__": lambda self, x: 2 * x})(),
        _Doubling(),
    ):
        judgement = examine(DOUBLE, double)
        assert judgement.passed, judgement.message
    assert judgement.message == "9.1 passed: Double. Tried on 2 inputs."
    assert examine(VALUE, np.float32(42)).message == "9.2 passed: Double."


class _Doubling(torch.nn.Module):
    def forward(self, x):
        return 2 * torch.tensor(x)


def _raise_strange(x):
    class Strange(Exception):
        def __str__(self):
            raise RuntimeError("not even this")

    raise Strange


def _mutate(x):
    x *= 2
    return x


def _sleep(x):
    while True:
        time.sleep(0.01)


def _spin_catching(x):
    try:
        while True:
            pass
    except Exception:
        return 2 * x


@pytest.mark.parametrize(
    ("double", "fragment"),
    [
        (lambda x: ..., "9.1 not started yet: Return twice x. Put your work where the ... is"),
        (lambda x: NotImplemented, "not started yet"),
        (lambda x: x * ..., "not started yet"),
        (..., "not started yet"),
        (lambda x: 1 / 0, "with x = [1, 2] your code raised ZeroDivisionError: division by zero"),
        (lambda x: sys.exit(3), "raised SystemExit: 3"),
        (lambda x: DOUBLE.expected(x, x), "raised TypeError"),
        (_raise_strange, "raised Strange"),
        (lambda x: None, "your function gave None; does it end with return?"),
        (lambda x: x + 1, "with x = [1, 2]: at index 1: expected 4, got 3 (1 of 2 numbers"),
        (lambda x: x + 1, "Think of x + x."),
        (lambda x: x**2, "That is the square."),
        (lambda x: 4 * x, "Yours is 2 times the expected everywhere."),
        (lambda x: -2 * x, "Every sign is the other way round."),
        (lambda x: (2 * x)[::-1], "The numbers are right, but in the opposite order."),
        (lambda x: (1.3 * x).astype(int), "whole numbers (int64): fractions"),
        (lambda x: 2 * x * np.nan, "got nan"),
        (lambda x: 2 * x[:1], "expected 2 numbers, got [2]"),
        (lambda x: "2x", "expected 2 numbers, got '2x'"),
        (lambda x: 2j * x, "expected 2 numbers, got an array of complex128"),
        (lambda x: [[1], [2, 3]], "expected 2 numbers, got [[1], [2, 3]]"),
        (lambda x: {"a": 1}, "expected 2 numbers, got {'a': 1}"),
        (lambda x: print, "got the function print"),
        (lambda x: _Doubling, "got the class _Doubling"),
        (lambda x: object(), "got an object of type object"),
        (_mutate, "changed its argument x; work on a copy of it"),
        (lambda: 1, "it is called as double(x): too many positional arguments"),
        (lambda x, y: 1, "it is called as double(x): missing a required argument: 'y'"),
        (7, "this exercise takes double itself, not its result: got 7"),
        (None, "not its result: got None"),
        (_sleep, "your code took longer than 0.3 s; is there a loop that doesn't end?"),
        (_spin_catching, "took longer"),
        (max, "expected 2 numbers, got 2"),  # a built-in function without a signature
    ],
)
def test_wrong_answers_of_every_kind(double, fragment):
    if fragment.startswith("whole"):
        exercise = replace(DOUBLE, expected=lambda x: 1.3 * x)
        assert fragment in message(exercise, double)
    else:
        assert fragment in message(DOUBLE, double)


def test_the_line_that_raised_is_shown(tmp_path):
    path = tmp_path / "cell.py"
    path.write_text("def double(x):\n    y = 2 * x\n    return np.dot(y)\n")
    names = {"np": np}
    exec(compile(path.read_text(), str(path), "exec"), names)
    assert "(in line 3: return np.dot(y))" in message(DOUBLE, names["double"])


@pytest.mark.parametrize(
    ("value", "fragment"),
    [
        (..., "not started yet"),
        ((1, ...), "not started yet"),
        (41, "9.2 not yet: 41 isn't right. Think of x + x."),
        (float("nan"), "nan isn't right"),
        (lambda: 42, "this exercise takes a value, but got the function <lambda>; call it first"),
        ("42", "expected one number, got '42'"),
        (None, "expected one number, got None"),
        ([42], "expected one number, got [42]: take the number out of it, as with .item()"),
    ],
)
def test_values(value, fragment):
    text = message(VALUE, value)
    assert fragment in text
    assert "42" not in text.replace(repr(value), "")  # the right value isn't given away


def test_a_comparison_may_meet_anything():
    def comparison(expected, got):
        return got["no such key"]

    exercise = replace(DOUBLE, comparison=comparison)
    assert "got 3, which can't be compared" in message(exercise, lambda x: 3)


def test_a_hint_for_a_value_may_be_a_mistake():
    exercise = replace(VALUE, mistakes=(Mistake(lambda: 24, "Read it from the left."),))
    assert message(exercise, 24).endswith("24 isn't right. Read it from the left.")


class _Poison:
    """Raises whenever it is looked at."""

    def __getattribute__(self, name):
        raise RuntimeError("don't look")


def test_check_never_raises(capsys, monkeypatch):
    monkeypatch.setattr(package, "_all", lambda: {"9.1": DOUBLE, "9.2": VALUE})
    for answer in (_Poison(), lambda x: _Poison(), lambda x: 2 * x, 42):
        check("9.1", answer)
        check("9.2", answer)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 8
    assert sum("passed" in line for line in printed) == 2
    assert "9.1 not yet: your answer can't be looked at (RuntimeError)." in printed


def test_unknown_numbers(capsys):
    check("1.22", 1)
    check("zz", 1)
    check(1.2, 1)
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("Nothing checked: there is no exercise '1.22' (did you mean '1.2'?)")
    assert "there are: 1.1, 1.2, 1.3" in second
    assert "goes in quotes" in third
    assert get("1.2").id == "1.2"


def test_chapters_are_collected_in_order():
    numbers = [[int(part) for part in e.id.split(".")] for e in list_exercises()]
    assert numbers == sorted(numbers)
    assert [e.chapter for e in list_exercises(chapter=1)] == [1] * len(list_exercises(1))
    assert list_exercises(chapter=99) == []


def test_two_exercises_of_one_number_are_refused(monkeypatch):
    twice = ModuleType("twice")
    twice.EXERCISES = (DOUBLE, DOUBLE)
    monkeypatch.setattr(package.pkgutil, "iter_modules", lambda path: [SimpleNamespace(name="t")])
    monkeypatch.setattr(package.importlib, "import_module", lambda name: twice)
    with pytest.raises(RuntimeError, match=r"same number: 9\.1"):
        package._all.__wrapped__()


def test_random_generators_are_seeded_and_given_back():
    seen = []

    def double(x):
        seen.append((random.random(), float(np.random.rand()), float(torch.rand(()))))  # noqa: NPY002
        return 2 * x

    def states():
        numpy = np.random.get_state()  # noqa: NPY002
        return random.getstate(), numpy[1].tolist(), numpy[2], torch.get_rng_state().tolist()

    before = states()
    examine(DOUBLE, double)
    assert states() == before
    examine(DOUBLE, double)
    assert seen[:2] == seen[2:]
    assert seen[0] != seen[1]


def test_timer_and_handler_are_given_back():
    def handler(number, frame):
        raise AssertionError("the caller's alarm")

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 100)
        assert examine(DOUBLE, lambda x: 2 * x).passed
        assert "took longer" in message(DOUBLE, _sleep)
        assert signal.getsignal(signal.SIGALRM) is handler
        assert 90 < signal.getitimer(signal.ITIMER_REAL)[0] <= 100
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_works_without_a_time_limit_in_another_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(examine(DOUBLE, lambda x: 2 * x)))
    thread.start()
    thread.join()
    assert results[0].passed


def test_keyboard_interrupt_passes():
    def double(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine(DOUBLE, double)


def test_each_case_gets_its_own_copy_and_the_rest_is_not_run():
    calls = []
    exercise = replace(DOUBLE, inputs=lambda seed: [([1.0],), ([2.0],), ([3.0],)])

    def double(x):
        calls.append(x[0])
        if x[0] == 2:
            raise ValueError("stop")
        return x * 2

    cases = exercise.cases()
    outcomes = run(exercise, double, cases)
    assert calls == [1.0, 2.0]
    assert [o.status for o in outcomes] == ["ok", "raised"]


def test_modules_and_other_objects_are_observed():
    """`observe` may build what the learner's class describes and look at what it does."""

    def build_and_call(cls, width):
        return cls(width)(torch.ones(1, width)).shape

    exercise = replace(
        DOUBLE,
        observe=build_and_call,
        expected=lambda width: (1, width),
        inputs=lambda seed: [(3,), (4,)],
        mistakes=(),
    )

    class Wide(torch.nn.Linear):
        def __init__(self, width):
            super().__init__(width, width + 1)

    class Right(torch.nn.Linear):
        def __init__(self, width):
            super().__init__(width, width)

    assert examine(exercise, Right).passed
    assert "with width = 3: at index 1: expected 3, got 4" in message(exercise, Wide)
    assert "raised TypeError" in message(exercise, lambda width: 3)


def test_an_input_that_is_no_plain_data_may_not_be_compared():
    exercise = replace(DOUBLE, expected=lambda x: 2, inputs=lambda seed: [({1, 2},)], mistakes=())
    assert examine(exercise, lambda x: len(x)).passed


def test_judging_needs_no_learner():
    """Expected values and the comparison work on data alone, as a marker needs it."""
    cases = DOUBLE.cases(7)
    right = json.loads(json.dumps([(2 * x).tolist() for (x,) in cases]))
    assert judge(DOUBLE, cases, [Outcome("ok", value) for value in right]).passed
    late = [Outcome("ok", right[0]), Outcome("too slow", detail="took longer than 1 s")]
    assert judge(DOUBLE, cases, late).message == (
        "9.1 not yet: with x = [10, 5] your code took longer than 1 s."
    )
    for number in (0, 1, 3):
        outcomes = [Outcome("ok", [1, 1])] * number
        with pytest.raises(ValueError, match=f"one for each of 2 cases, got {number}"):
            judge(DOUBLE, cases, outcomes)
    mixed = [Outcome("ok", [1, 1]), late[1]]
    assert "expected 2, got 1" in judge(DOUBLE, cases, mixed).message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "1"}, "id must be '<chapter>.<number>', such as '1.2', got '1'"),
        ({"id": "1.0"}, "got '1.0'"),
        ({"tier": "hard"}, "9.1: tier must be one of .*, got 'hard'"),
        ({"points": 0}, "9.1: points must be at least 1, got 0"),
        ({"seconds": 0}, "9.1: seconds must be more than 0, got 0"),
        ({"template": "x = 1"}, "9.1: template must have a ... where"),
    ],
)
def test_wrong_exercises_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        replace(DOUBLE, **changes)


def test_cell():
    assert DOUBLE.cell == 'def double(x):\n    return ...\n\n\ncheck("9.1", double)'
    assert DOUBLE.solution.name == "9_1.py"


class TestDifference:
    @pytest.mark.parametrize(
        ("expected", "got"),
        [
            (1, 1.0),
            (1.0, np.float32(1)),
            (1.0, torch.tensor(1.0)),
            (1.0, 1 + 1e-7),
            (float("nan"), float("nan")),
            (float("inf"), float("inf")),
            (True, np.bool_(True)),
            (True, torch.tensor(True)),
            (None, None),
            ("ReLU", " relu "),
            ((1, 2), [1, 2]),
            (("a", 1), ["A", 1]),
            ({"a": 1, "b": [1, 2]}, {"b": (1, 2), "a": 1}),
            (torch.ones(2, 3), np.ones((2, 3))),
        ],
    )
    def test_equal(self, expected, got):
        assert difference(expected, got) is None

    @pytest.mark.parametrize(
        ("expected", "got", "text", "kind"),
        [
            (1.0, 2.0, "expected 1, got 2", "value"),
            (1.0, 1.0001, "expected 1, got 1.0001", "value"),
            (1.0, 1.00002, "expected 1, got 1.00002", "value"),
            (1.0, float("inf"), "expected 1, got inf", "value"),
            (1.0, [1.0, 2.0], "expected one number, got [1.0, 2.0]", "shape"),
            (True, 1, "expected True or False, got 1", "type"),
            (True, False, "expected True, got False", "value"),
            (None, 0, "expected None, got 0", "value"),
            ("a", 1, "expected a string, got 1", "type"),
            ("a", "b", "expected 'a', got 'b'", "value"),
            ({"a": 1}, 1, "expected a dict, got 1", "type"),
            ({"a": 1}, {"b": 1}, "expected a dict with the keys 'a', got {'b': 1}", "shape"),
            ({"a": 1}, {"a": 2}, "at key 'a': expected 1, got 2", "value"),
            (("a", 1), 3, "expected 2 things, got 3", "type"),
            (("a", 1), ("a",), "expected 2 things, got 1", "shape"),
            (("a", 1), ("a", 2), "at position 1: expected 1, got 2", "value"),
            (
                np.arange(6.0).reshape(2, 3),
                np.arange(6.0).reshape(2, 3).T,
                "yours is the transpose",
                "shape",
            ),
            (np.zeros((2, 2)), np.eye(2), "at index (0, 0): expected 0, got 1 (2 of 4", "value"),
            (np.zeros((9, 9)), torch.zeros(9), "got a tensor of shape (9,)", "shape"),
            (np.zeros((2, 2)), torch.zeros(2, 1), "got [[0], [0]] of shape (2, 1)", "shape"),
        ],
    )
    def test_different(self, expected, got, text, kind):
        found = difference(expected, got)
        assert found is not None
        assert text in found.text
        assert found.kind == kind

    def test_expected_must_be_plain(self):
        with pytest.raises(TypeError, match="expected must be plain data"):
            difference(object(), 1)

    @given(arrays.arrays(np.float64, st.integers(1, 5), elements=st.floats(-1e6, 1e6)))
    def test_agrees_with_numpy(self, array):
        assert difference(array, array.tolist()) is None
        other = array + 1
        assert (difference(array, other) is None) == np.allclose(other, array, 1e-5, 1e-8)


def test_pattern_needs_a_regularity():
    assert pattern([np.array([1.0, 2.0])], [np.array([2.0, 5.0])]) == ""
    assert pattern([np.array([0.0, 1.0, 2.0])], [np.array([1.0, 3.0, 6.0])]) == ""
    assert pattern([1.0, "a"], [2.0, "b"]) == ""
    assert pattern([1.0, 2.0], [0.0, 0.0]) == ""
    assert pattern([1.0, 3.0], [2.5, 7.5]) == "Yours is 2.5 times the expected everywhere."


def test_describe_is_short():
    for value in ("x" * 10_000, list(range(10_000)), np.zeros(10_000), {i: i for i in range(999)}):
        assert len(describe(value)) < 200
    assert describe(torch.tensor(1.5)) == "1.5"
    assert describe(_Poison()) == "an object of type _Poison"
    assert describe(np.int64(3)) == "3"
    assert describe(np.float32(0.1)) == "0.1"
    assert describe(np.array(["a"])) == "an array of <U1"

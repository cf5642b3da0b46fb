"""Every exercise of every chapter: solution, template, wrong answers, notebook."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from residual_lib.exercises import Exercise, Outcome, examine, judge, list_exercises, run
from residual_lib.exercises.base import TIERS

HERE = Path(__file__).parent
WRONG = HERE / "exercises" / "wrong"
CHAPTERS = HERE.parents[1] / "chapters"
EXERCISES = [pytest.param(e, id=e.id) for e in list_exercises()]
BY_FILE = {e.id.replace(".", "_"): e for e in list_exercises()}
WRONG_FILES = [pytest.param(path, id=path.stem) for path in sorted(WRONG.glob("*.py"))]


def answer(exercise: Exercise, source: str, path: str = "<cell>") -> object:
    names: dict[str, object] = {}
    exec(compile(source, path, "exec"), names)
    return eval(exercise.answer, names)


def solved(exercise: Exercise) -> object:
    return answer(exercise, exercise.solution.read_text("utf-8"), str(exercise.solution))


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_solution_passes(exercise, seed):
    judgement = examine(exercise, solved(exercise), seed)
    assert judgement.passed, judgement.message


@pytest.mark.parametrize("exercise", EXERCISES)
def test_unsolved_template_fails_kindly(exercise):
    judgement = examine(exercise, answer(exercise, exercise.template))
    assert not judgement.passed
    assert judgement.message.startswith(f"{exercise.id} not started yet: ")


@pytest.mark.parametrize("path", WRONG_FILES)
def test_wrong_answer_fails_with_a_hint_that_helps(path):
    exercise = BY_FILE[path.stem.rpartition("_")[0]]
    source = path.read_text("utf-8")
    first = source.splitlines()[0]
    assert first.startswith("# hint: "), f"{path.name} must begin with '# hint: <fragment>'"
    fragment = first.removeprefix("# hint: ").strip()
    judgement = examine(exercise, answer(exercise, source, str(path)))
    assert not judgement.passed
    assert fragment in judgement.message
    # A fragment that every wrong answer's message holds would prove nothing.
    assert fragment not in examine(exercise, answer(exercise, exercise.template)).message


@pytest.mark.parametrize("exercise", EXERCISES)
def test_exercise_is_complete(exercise):
    stem = exercise.id.replace(".", "_")
    wrong = list(WRONG.glob(f"{stem}_*.py"))
    hints = {path.read_text("utf-8").splitlines()[0] for path in wrong}
    assert len(wrong) >= 2, f"write two plausible wrong answers as {WRONG}/{stem}_[ab].py"
    assert len(hints) == len(wrong), "each wrong answer needs a hint of its own"
    assert exercise.solution.is_file()
    assert exercise.tier in TIERS
    assert "\n" not in exercise.statement
    assert exercise.hint or exercise.mistakes


@pytest.mark.parametrize("exercise", EXERCISES)
def test_inputs_are_plain_data_and_repeatable(exercise):
    """A marker sends the inputs to another process, so only what JSON can hold will do."""
    first, again, other = (json.dumps(plain(exercise.cases(s))) for s in (5, 5, 6))
    assert first == again
    assert exercise.cases(5)
    assert exercise.is_value or exercise.comparison or first != other


@pytest.mark.parametrize("exercise", EXERCISES)
def test_outputs_can_be_judged_after_a_journey_through_json(exercise):
    cases = exercise.cases(3)
    outcomes = run(exercise, solved(exercise), cases)
    sent = json.dumps([plain(outcome.value) for outcome in outcomes])
    assert len(sent) < 20_000, "outputs must be small: observe a summary of them"
    received = [Outcome("ok", value) for value in json.loads(sent)]
    assert judge(exercise, cases, received) == judge(exercise, cases, outcomes)
    assert judge(exercise, cases, received).passed


@pytest.mark.parametrize("exercise", EXERCISES)
def test_notebook_has_the_cell(exercise):
    """The chapter's notebook shows the template as it is here."""
    (notebook,) = CHAPTERS.glob(f"{exercise.chapter:02d}_*.ipynb")
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    sources = ["".join(cell["source"]).strip() for cell in cells if cell["cell_type"] == "code"]
    # Tags and setup may stand above; the exercise itself is the end of its cell.
    assert any(source.endswith(exercise.cell) for source in sources), (
        f"{notebook.name} needs a cell with this source:\n{exercise.cell}"
    )


def plain(value):
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


# --- the numbers of chapter 1, against theory that the exercises don't use ------------------


def test_steepest_sigmoid_by_search():
    z = torch.linspace(-5, 5, 10_001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(torch.sigmoid(z).sum(), z)
    x = torch.linspace(-60, 60, 10_001, dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(10):
        y = torch.sigmoid(y)
    (through,) = torch.autograd.grad(y.sum(), x)
    steepest, bound = BY_FILE["1_1"].expected()
    assert float(slope.max()) == pytest.approx(steepest)
    assert 0 < float(through.max()) < bound


def test_ten_layers_by_finite_differences():
    gradients = solved(BY_FILE["1_2"])
    w, x, step = np.linspace(0.5, 1.5, 10), 0.7, 1e-6

    def tail(k, h):
        for weight in w[k:]:
            h = np.tanh(weight * h)
        return h

    hidden = [x]
    for weight in w[:-1]:
        hidden.append(np.tanh(weight * hidden[-1]))
    slopes = [(tail(k, h + step) - tail(k, h - step)) / (2 * step) for k, h in enumerate(hidden)]
    np.testing.assert_allclose(gradients(w, x), slopes, rtol=1e-6)


def test_relu_weights_keep_the_mean_square():
    weights = solved(BY_FILE["1_3"])
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 500, generator=generator)
    before = float(x.square().mean())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for _ in range(10):
            x = torch.relu(x @ weights(500, 500).T)
    # Another factor than 2/n would be 1024 times off after ten layers.
    assert 0.4 < float(x.square().mean()) / before < 2.5


def test_relu_weights_must_be_numbers():
    for output, words in (("x", "a tensor of weights, got 'x'"), ([], "weights, got []")):
        judgement = examine(BY_FILE["1_3"], lambda fan_in, fan_out, output=output: output)
        assert words in judgement.message

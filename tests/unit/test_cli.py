"""The command line: what it prints, where, and with which exit code."""

import json
import subprocess
import sys

import pytest
import toy_chapter

from residual_lib import claims, models
from residual_lib.__main__ import main
from residual_lib.claims import Claim, above, below
from residual_lib.claims.framework import registry as claims_registry
from residual_lib.experiments.framework import recorded
from residual_lib.experiments.framework import registry as experiments_registry


def level(table):
    return table.groupby("seed")["value"].mean()


def gain(table):
    """Plain minus residual, seed by seed."""
    means = table.pivot_table(index="seed", columns="variant", values="value")
    return means["plain"] - means["residual"]


def module(name, **content):
    made = type(json)(name)
    vars(made).update(content)
    return made


def put(monkeypatch, found=(), judged=()):
    """Replace the course by these experiments, of chapter 2, and these claims."""
    chapters = {2: module("residual_lib.experiments.degradation", EXPERIMENTS=found)}
    monkeypatch.setattr(experiments_registry, "chapters", lambda: chapters if found else {})
    modules = (module("residual_lib.claims.degradation", CLAIMS=judged),)
    monkeypatch.setattr(claims_registry, "_modules", lambda: modules)


GOOD = Claim("2.1", "The residual variant ends lower.", "ours", "toy", gain, above(0.5))
EMPTY = Claim("2.2", "Values are below ten.", "ours", "toy", level, below(10))


@pytest.fixture(autouse=True)
def course(tmp_path, monkeypatch):
    monkeypatch.setenv("RESIDUAL_LIB_STORE", str(tmp_path / "trials"))
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "recorded")
    put(monkeypatch, (toy_chapter.experiment(chapter=2),), (GOOD,))


def lines(capsys):
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("chapter", [[], ["2"], ["degradation"], ["2", "toy"]])
def test_run_fills_the_store_and_says_so(capsys, chapter):
    assert main(["run", *chapter, "--device", "cpu"]) == 0
    first = lines(capsys)
    assert first[1].split()[:6] == ["toy", "10", "0", "10", "0", "0"]
    assert "store: " in first[-1]
    assert main(["run", *chapter]) == 0
    assert lines(capsys)[1].split()[:6] == ["toy", "10", "10", "0", "0", "0"]


def test_run_takes_seeds_profile_and_fresh(capsys):
    run = ["run", "--device", "cpu", "--jobs", "1"]
    main([*run, "--seeds", "2", "--profile", "full"])
    assert lines(capsys)[1].split()[:4] == ["toy", "4", "0", "4"]
    main([*run, "--seeds", "3", "--profile", "full"])
    assert lines(capsys)[1].split()[:4] == ["toy", "6", "4", "2"]
    main([*run, "--seeds", "3", "--profile", "full", "--fresh"])
    assert lines(capsys)[1].split()[:4] == ["toy", "6", "0", "6"]


def test_run_records(capsys):
    assert main(["run", "--profile", "full", "--device", "cpu", "--record"]) == 0
    assert lines(capsys)[-1] == "recorded toy.csv.gz"
    found = toy_chapter.experiment().recorded()
    assert found.attrs["provenance"]["profile"] == "full"
    assert len(found) == 2 * 6 * 40


def test_a_failing_trial_fails_the_run_and_records_nothing(capsys, monkeypatch, tmp_path):
    variants = {"bad": {"level": 0.0, "fail": True}, "good": {"level": 0.0}}
    put(monkeypatch, (toy_chapter.experiment(chapter=2, variants=variants),))
    assert main(["run", "--device", "cpu", "--record"]) == 1
    said = capsys.readouterr()
    assert "toy, variant 'bad' failed" in said.err
    assert "fails on purpose" in said.err
    assert said.out.splitlines()[1].split()[:6] == ["toy", "10", "0", "5", "0", "5"]
    assert not (tmp_path / "recorded").exists()


def test_claims_print_the_ledger(capsys):
    assert main(["claims", "--chapter", "2"]) == 0
    said = capsys.readouterr().out
    assert "2.1  HOLDS: The residual variant ends lower." in said
    assert "toy (quick, 5 seeds); source: ours" in said


def test_claims_for_programs_print_nothing_else(capsys):
    assert main(["claims", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["verdict"] == "holds"
    assert main(["claims", "--markdown", "--profile", "full"]) == 0
    said = lines(capsys)
    assert len(said) == 3
    assert all(line.startswith("|") for line in said)
    assert "toy (full, 6 seeds)" in said[2]


def test_a_negative_result_is_a_result(capsys, monkeypatch):
    wrong = Claim("2.1", "It ends ten lower.", "ours", "toy", gain, above(10))
    put(monkeypatch, (toy_chapter.experiment(chapter=2),), (wrong,))
    assert main(["claims"]) == 0
    assert "DOES NOT HOLD HERE" in capsys.readouterr().out


def test_sabotage_fails_if_a_claim_survives(capsys, monkeypatch):
    assert main(["claims", "--sabotage", "--permutations", "50"]) == 0
    assert "1 claims, 0 survive sabotage" in capsys.readouterr().out
    put(monkeypatch, (toy_chapter.experiment(chapter=2),), (GOOD, EMPTY))
    assert main(["claims", "--sabotage", "--permutations", "50"]) == 1
    assert "2.2  SURVIVES" in capsys.readouterr().out
    assert main(["claims", "--sabotage", "--permutations", "50", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(entry["id"], entry["survives"]) for entry in found] == [("2.1", False), ("2.2", True)]


def test_a_course_without_chapters_is_no_error(capsys, monkeypatch):
    put(monkeypatch)
    for command in (["run"], ["claims"], ["claims", "--sabotage"]):
        assert main(command) == 0
        assert "no " in capsys.readouterr().out


def test_models_and_their_sizes(capsys):
    assert main(["models", "residual_*"]) == 0
    found = dict(line.split(maxsplit=1) for line in lines(capsys))
    assert sorted(found) == models.list_models("residual_*")
    mlp = models.create_model("residual_mlp")
    assert f"{sum(p.numel() for p in mlp.parameters()):,}" in found["residual_mlp"]


def test_data_sets_and_their_cards(capsys):
    assert main(["data"]) == 0
    assert any(line.startswith("digits") for line in lines(capsys))
    assert main(["data", "digits"]) == 0
    assert "licence" in capsys.readouterr().out.lower()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "7"], "there is no chapter '7'; there are: 2 (degradation)"),
        (["run", "--profile", "fast"], "profile must be one of ['full', 'quick'], got 'fast'"),
        (["run", "--device", "abacus"], "device must be"),
        (["run", "--seeds", "none"], "must be a whole number from 1, got 'none'"),
        (["claims", "--chapter", "x"], "there is no chapter 'x'"),
        (["models", "llama*"], "no model matches 'llama*'"),
        (["data", "imagenet"], "there is no data set 'imagenet'"),
        (["dance"], "invalid choice: 'dance'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_wrong_arguments_get_one_line_and_exit_code_2(capsys, arguments, message):
    try:
        code = main(arguments)
    except SystemExit as stop:  # argparse's own way
        code = stop.code
    assert code == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1


def test_a_trial_that_fails_under_claims_is_told_in_words(capsys, monkeypatch):
    variants = {"bad": {"level": 0.0, "fail": True}}
    put(monkeypatch, (toy_chapter.experiment(chapter=2, variants=variants),), (GOOD,))
    assert main(["claims"]) == 1
    assert "toy, variant 'bad' failed" in capsys.readouterr().err


def test_other_errors_keep_their_traceback(monkeypatch):
    broken = Claim("2.1", "A typing error.", "ours", "toy", lambda t: t["valu"], above(0))
    put(monkeypatch, (toy_chapter.experiment(chapter=2),), (broken,))
    with pytest.raises(RuntimeError, match=r"statistic of claim 2.1 failed: KeyError: 'valu'"):
        main(["claims"])


def test_ctrl_c_is_no_traceback(capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(claims, "ledger", stop)
    assert main(["claims"]) == 130
    assert "stopped" in capsys.readouterr().err


def test_help_shows_examples_at_once():
    """At once: without importing torch."""
    script = (
        "import sys, residual_lib.__main__ as m\n"
        "try: m.main(['--help'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "python -m residual_lib claims --sabotage" in done.stdout

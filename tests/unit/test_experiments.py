"""Experiments: what a table holds, what is measured and what is read, and what fails how."""

import json
import signal

import numpy as np
import pandas as pd
import pytest
import torch
import toy_chapter

from residual_lib import experiments
from residual_lib.experiments import Experiment, TrialError, describe
from residual_lib.experiments.framework import fill, provenance, recorded, registry, work
from residual_lib.experiments.framework.store import Store

CPU = {"device": "cpu", "jobs": 1, "progress": False}


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("RESIDUAL_LIB_STORE", str(tmp_path / "trials"))


@pytest.fixture
def counted(tmp_path):
    """A toy experiment that writes down its runs, and what it has written so far."""
    log = tmp_path / "runs"
    log.touch()
    variants = {
        name: {"level": level, "count": str(log)} for name, level in (("a", 0.0), ("b", 1.0))
    }
    return toy_chapter.experiment(variants=variants), lambda: log.read_text().split("\n")[:-1]


def values(table):
    """Everything that was measured, in a fixed order."""
    return table.sort_values(["variant", "seed", "step"])["value"].to_numpy()


def test_the_table_has_a_row_for_each_measurement_with_its_variants_parameters():
    table = toy_chapter.experiment().table(**CPU)
    assert list(table) == ["variant", "level", "skip", "seed", "step", "metric", "value", "layer"]
    assert len(table) == 2 * 5 * 20
    for (variant, seed), rows in table.groupby(["variant", "seed"]):
        level = {"plain": 1.0, "residual": 0.0}[variant]
        expected = level + 0.1 * np.random.default_rng(seed).normal(size=20)
        np.testing.assert_array_equal(rows["value"], expected)
        assert (rows["level"] == level).all()
        assert (rows["skip"] == (variant == "residual")).all()


def test_a_parameter_that_a_variant_lacks_is_missing():
    variants = {"a": {"level": 0.0, "noise": 0.5}, "b": {"level": 1.0}}
    table = toy_chapter.experiment(variants=variants).table(**CPU)
    assert table.groupby("variant")["noise"].first().isna().to_dict() == {"a": False, "b": True}


def test_each_trial_is_measured_once_and_the_seeds_of_a_variant_together(counted):
    toy, runs = counted
    first = toy.table(**CPU)
    assert runs() == ["[0, 1, 2, 3, 4]"] * 2
    second = toy.table(**CPU)
    assert len(runs()) == 2
    pd.testing.assert_frame_equal(first, second)
    toy.table(seeds=[1, 7], **CPU)
    assert runs()[2:] == ["[7]"] * 2
    assert toy.table(seeds=2, **CPU)["seed"].unique().tolist() == [0, 1]
    assert len(runs()) == 4


def test_fresh_measures_anew(counted):
    toy, runs = counted
    toy.table(**CPU)
    again = toy.table(fresh=True, **CPU)
    assert len(runs()) == 4
    assert again.attrs["provenance"]["from_store"] == 0


@pytest.mark.parametrize(
    ("changes", "anew"),
    [
        ({"profiles": {"quick": {"seeds": 5, "steps": 21}}}, True),
        ({"variants": {"plain": {"level": 2.0}}}, True),
        ({"profiles": {"quick": {"seeds": 4, "steps": 20}}}, False),
        ({"variants": {"renamed": {"level": 1.0, "skip": False}}}, False),
        ({"title": "Another title", "name": "another"}, False),
    ],
)
def test_a_trial_belongs_to_its_parameters_and_settings(changes, anew):
    toy_chapter.experiment().table(**CPU)
    facts = toy_chapter.experiment(**changes).table(**CPU).attrs["provenance"]
    assert facts["from_store"] == (0 if anew else facts["trials"])


@pytest.mark.parametrize("module", ["source_hash", "torch"])
def test_a_trial_belongs_to_its_code_and_torch(module, monkeypatch):
    from residual_lib.experiments.framework import experiment

    toy = toy_chapter.experiment()
    before = toy.trial_path(Store(), "plain", 0, "quick")
    if module == "torch":
        monkeypatch.setattr(experiment.torch, "__version__", "99")
    else:
        monkeypatch.setattr(experiment, "source_hash", lambda _: "other")
    assert toy.trial_path(Store(), "plain", 0, "quick") != before


def test_a_damaged_trial_is_measured_again(counted, capsys):
    toy, runs = counted
    before = toy.table(**CPU)
    path = toy.trial_path(Store(), "b", 3, "quick")
    path.write_bytes(path.read_bytes()[:-1])
    pd.testing.assert_frame_equal(toy.table(**CPU), before)
    assert runs()[2:] == ["[3]"]
    assert path.name in capsys.readouterr().err


def test_processes_measure_what_one_process_does(monkeypatch):
    threads = torch.get_num_threads()
    alone = toy_chapter.experiment().table(**CPU)
    assert torch.get_num_threads() == threads
    together = toy_chapter.experiment().table(fresh=True, jobs=2, device="cpu", progress=False)
    pd.testing.assert_frame_equal(alone, together)
    for table in (alone, together):
        assert "1 thread)" in table.attrs["provenance"]["devices"][0]


def test_a_failing_variant_says_which_and_why_and_stops_no_other(counted):
    toy, runs = counted
    variants = {"bad": {"level": 0.0, "fail": True}, **toy.variants}
    toy = toy_chapter.experiment(variants=variants)
    with pytest.raises(TrialError, match=r"(?s)toy, variant 'bad'.*fails on purpose"):
        toy.table(**CPU)
    assert len(runs()) == 2
    assert len(toy.stored(Store(), "quick", [0, 1, 2, 3, 4])) == 10


def test_workers_refuse_code_that_is_not_their_parents():
    toy = toy_chapter.experiment()
    unit = work.Unit(toy, "plain", (0,), "quick")
    before = signal.getsignal(signal.SIGINT)
    try:
        outcome = work._work_in_worker(unit, Store(), "cpu", "test", "another hash")
    finally:
        signal.signal(signal.SIGINT, before)
    assert "source has changed" in outcome.failure
    assert not Store().root.exists()


def swallows_ctrl_c(params, seeds, settings):
    """As the training loop, which answers Ctrl-C by returning what it has."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        return toy_chapter.run(params, seeds, settings)
    raise AssertionError("not interrupted")


def test_a_run_that_was_cut_short_is_no_trial():
    toy = toy_chapter.experiment(run=swallows_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        toy.table(**CPU)
    assert not Store().root.exists()


def bad_result(params, seeds, settings):
    """Tables that `run` must not return."""
    good = toy_chapter.run({"level": 0.0}, seeds, settings)
    return {
        "none": None,
        "column": good.drop(columns="step"),
        "clash": good.assign(kind=1),
        "variant": good.assign(variant="x"),
        "text": good.assign(value="x"),
        "seeds": good[good["seed"] > 0],
        "more": pd.concat([good, good.assign(seed=99)]),
    }[params["kind"]]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("none", "must return a pandas DataFrame, got NoneType"),
        ("column", r"\['step'\] missing"),
        ("clash", r"must not return the columns \['kind'\]"),
        ("variant", r"must not return the columns \['variant'\]"),
        ("text", "must return numbers in 'value'"),
        ("seeds", r"rows for the seeds \[0, 1, 2, 3, 4\], got \[1, 2, 3, 4\]"),
        ("more", "got .*99"),
    ],
)
def test_what_run_returns_is_checked(kind, message):
    with pytest.raises(TrialError, match=message):
        toy_chapter.experiment(run=bad_result, variants={"v": {"kind": kind}}).table(**CPU)
    assert not Store().root.exists()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"name": "two words"}, ValueError, "name must be a word"),
        ({"name": 3}, ValueError, "name must be a word"),
        ({"variants": {}}, ValueError, "variants must have at least one"),
        ({"variants": {"a": {"seed": 1}}}, ValueError, r"must not name a parameter \['seed'\]"),
        ({"variants": {"a": {"f": print}}}, TypeError, r"variants\['a'\] must hold numbers"),
        ({"variants": {"a": {"x": float("nan")}}}, TypeError, r"variants\['a'\] must hold"),
        ({"profiles": {"full": {"seeds": 5}}}, ValueError, "profiles must have 'quick'"),
        ({"profiles": {"quick": {"steps": 5}}}, ValueError, "must have 'seeds'.*got None"),
        ({"profiles": {"quick": {"seeds": 0}}}, ValueError, "must have 'seeds'.*got 0"),
        ({"profiles": {"quick": {"seeds": 1, "f": {1}}}}, TypeError, "profiles.*must hold"),
        ({"run": lambda *_: None}, TypeError, "run must be a function at the top level"),
    ],
)
def test_arguments_are_checked_at_construction(changes, error, message):
    with pytest.raises(error, match=message):
        toy_chapter.experiment(**changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"profile": "fast"}, r"profile of toy must be one of \['full', 'quick'\], got 'fast'"),
        ({"seeds": 0}, "seeds must be a number from 1"),
        ({"seeds": []}, "seeds must be a number from 1"),
        ({"jobs": 0}, "jobs must be at least 1, got 0"),
    ],
)
def test_arguments_of_table_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        toy_chapter.experiment().table(**arguments)


def test_diverged_seeds_are_counted():
    variants = {"fine": {"level": 0.0}, "wild": {"level": 9.0, "diverge": True}}
    table = toy_chapter.experiment(variants=variants).table(**CPU)
    assert experiments.diverged(table) == {"wild": [4]}
    assert table.attrs["provenance"]["diverged"] == {"wild": [4]}
    assert table.loc[table["metric"] == "diverged", "step"].tolist() == [3]
    assert describe(table).endswith("; 1 diverged")


def test_the_line_on_a_table_is_honest_about_the_store(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 13.0, 16.0] + [100.0] * 20)
    monkeypatch.setattr(work.time, "perf_counter", lambda: next(clock))
    toy = toy_chapter.experiment(variants={"plain": {"level": 0.0}})
    toy.table(device="cpu", jobs=1)
    said = capsys.readouterr().out
    assert "1 variants x 5 seeds, 3.0 s of computing on cpu (" in said
    assert said.endswith("; measured now\n")
    toy.table(device="cpu")
    said = capsys.readouterr().out
    assert "3.0 s of computing" in said
    assert "from the store, measured 20" in said
    toy.table(device="cpu", seeds=6)
    assert "5 of 6 trials from the store" in capsys.readouterr().out


def test_a_line_needs_a_table_of_an_experiment():
    with pytest.raises(ValueError, match="table must be one that"):
        describe(pd.DataFrame())


def test_provenance_names_what_decides_about_numbers(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    monkeypatch.setattr(provenance.sys, "argv", ["/some/where/residual_lib/__main__.py", "run"])
    monkeypatch.setattr(provenance.sys, "argv", [*provenance.sys.argv, "--data", "/home/me/cifar"])
    facts = toy_chapter.experiment().table(**CPU).attrs["provenance"]
    assert facts["commands"] == ["python -m residual_lib run --data cifar"]
    assert facts["dates"] == ["1970-01-01T00:00:00Z"] * 2
    assert set(facts["versions"]) == {"residual_lib", "python", "torch", "numpy"}
    assert facts["settings"] == {"seeds": 5, "steps": 20}
    monkeypatch.setattr(provenance.sys, "argv", ["/home/someone/measure.py"])
    assert provenance.command() in ("measure.py", "notebook")
    monkeypatch.setattr(provenance.torch.cuda, "get_device_name", lambda _: "A GPU")
    assert provenance.device_name("cuda:0") == "cuda:0 (A GPU)"


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "recorded")
    return tmp_path / "recorded"


def test_a_recorded_run_comes_back_with_its_provenance(shelf):
    toy = toy_chapter.experiment()
    assert toy.recorded() is None
    assert describe(toy.recorded()) == "not recorded yet"
    table = toy.table("full", **CPU)
    recorded.write(table)
    again = toy.recorded()
    pd.testing.assert_frame_equal(again, table, check_dtype=False, check_exact=True)
    assert again.attrs["provenance"]["profile"] == "full"
    assert "wall_seconds" not in again.attrs["provenance"]
    assert "; recorded 20" in describe(again)


def test_the_same_trials_are_recorded_in_the_same_bytes(shelf):
    def content():
        recorded.write(toy_chapter.experiment().table(**CPU))
        return {path.name: path.read_bytes() for path in shelf.iterdir()}

    first = content()
    assert sorted(first) == ["toy.csv.gz", "toy.json"]
    assert content() == first


def test_a_recorded_table_that_was_changed_is_refused(shelf):
    table = toy_chapter.experiment().table(**CPU)
    recorded.write(table)
    facts = json.loads((shelf / "toy.json").read_text())
    recorded.write(table.assign(value=0.0))
    (shelf / "toy.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=r"toy.csv.gz is not the table that toy.json describes"):
        toy_chapter.experiment().recorded()


def chapter(name, *found):
    module = type(registry)(f"residual_lib.experiments.{name}")
    module.EXPERIMENTS = found
    return module


@pytest.fixture
def course(monkeypatch):
    """Two chapters with three experiments, in place of the real ones."""
    toy = toy_chapter.experiment
    modules = [chapter("degradation", toy("c", 2)), chapter("gradients", toy("a", 1), toy("b", 1))]
    monkeypatch.setattr(registry, "chapters", lambda: registry.arranged(modules))


def names(found):
    return [experiment.name for experiment in found]


def test_experiments_are_found_by_chapter_number_or_name(course):
    assert names(experiments.list_experiments()) == ["a", "b", "c"]
    for name in (2, "2", "degradation"):
        assert names(experiments.list_experiments(name)) == ["c"]
    assert experiments.get("b").chapter == 1
    assert names(fill.selected([1, "gradients"])) == ["a", "b"]
    assert names(fill.selected([])) == ["a", "b", "c"]


def test_one_experiment_can_be_selected_alone(course):
    assert names(fill.selected(["b"])) == ["b"]
    assert names(fill.selected(["b", "gradients"])) == ["b", "a"]
    assert names(fill.selected([])) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="there is no chapter 'd'"):
        fill.selected(["d"])


@pytest.mark.parametrize("unknown", [3, "3", "degradations", "-1"])
def test_an_unknown_chapter_is_told_what_exists(course, unknown):
    with pytest.raises(ValueError, match=r"there are: 1 \(gradients\), 2 \(degradation\)"):
        experiments.list_experiments(unknown)


def test_an_unknown_experiment_is_told_what_exists(course):
    with pytest.raises(ValueError, match="no experiment 'zzz'; there are: a, b, c"):
        experiments.get("zzz")


def test_chapters_and_names_are_unique():
    toy = toy_chapter.experiment
    with pytest.raises(ValueError, match=r"chapter 1 is claimed by .*x and .*y"):
        registry.arranged([chapter("x", toy("a", 1)), chapter("y", toy("b", 1))])
    with pytest.raises(ValueError, match=r"'a' is defined in .*x and in .*y"):
        registry.arranged([chapter("x", toy("a", 1)), chapter("y", toy("a", 2))])


def test_the_courses_own_experiments_fit_together():
    for number, module in experiments.chapters().items():
        for experiment in module.EXPERIMENTS:
            assert isinstance(experiment, Experiment)
            assert experiment.chapter == number
            assert experiment.profiles["quick"]["seeds"] >= 5
            assert experiment.code()


def test_filling_measures_all_experiments_in_one_go_and_counts(tmp_path):
    log = tmp_path / "runs"
    slow = {"level": 0.0, "count": str(log), "order": 1}
    quick = {"level": 0.0, "count": str(log), "diverge": True}
    first = toy_chapter.experiment("first", variants={"quick": quick}, cost=lambda _: 1.0)
    second = toy_chapter.experiment("second", variants={"slow": slow}, cost=lambda _: 5.0)
    first.table(seeds=2, **CPU)
    report = fill.fill([first, second], device="cpu", jobs=1, progress=False)
    assert log.read_text().split("\n")[1:-1] == ["[0, 1, 2, 3, 4]", "[2, 3, 4]"]  # longest first
    got = [(x.experiment, x.trials, x.stored, x.run, x.diverged, x.failed) for x in report.lines]
    assert got == [("first", 5, 2, 3, 2, 0), ("second", 5, 0, 5, 0, 0)]
    assert all(line.seconds > 0 for line in report.lines)
    text = report.text().splitlines()
    assert text[0].startswith("experiment  trials  from store")
    assert text[3].split()[:6] == ["all", "10", "2", "8", "2", "0"]
    again = fill.fill([first, second], progress=False)
    assert [(line.stored, line.run) for line in again.lines] == [(5, 0), (5, 0)]
    anew = fill.fill([first], fresh=True, device="cpu", jobs=1, progress=False)
    assert [(line.stored, line.run) for line in anew.lines] == [(0, 5)]


def test_a_trial_that_two_experiments_share_is_measured_once(tmp_path):
    log = tmp_path / "runs"
    shared = {"level": 0.0, "count": str(log)}
    first = toy_chapter.experiment("first", variants={"a": shared, "b": {**shared, "level": 1.0}})
    second = toy_chapter.experiment("second", variants={"also a": shared})
    report = fill.fill([first, second], seeds=3, device="cpu", jobs=1, progress=False)
    assert log.read_text().split("\n")[:-1] == ["[0, 1, 2]", "[0, 1, 2]"]
    assert [(x.trials, x.stored, x.run) for x in report.lines] == [(6, 0, 6), (3, 3, 0)]


def test_a_failure_while_filling_is_reported_and_stops_no_other():
    bad = toy_chapter.experiment("bad", variants={"v": {"level": 0.0, "fail": True}})
    report = fill.fill([bad, toy_chapter.experiment()], device="cpu", jobs=1, progress=False)
    assert [(line.run, line.failed) for line in report.lines] == [(0, 5), (10, 0)]
    assert len(report.failures) == 1
    assert "bad, variant 'v'" in report.failures[0]


def test_an_experiment_without_the_profile_is_skipped_and_named():
    small = toy_chapter.experiment("small", profiles={"quick": {"seeds": 5, "steps": 20}})
    toy = toy_chapter.experiment()
    report = fill.fill([small, toy], profile="full", device="cpu", jobs=1, progress=False)
    assert report.text().endswith("small has no profile 'full': skipped")
    with pytest.raises(ValueError, match=r"profile must be one of \['quick'\], got 'full'"):
        fill.fill([small], profile="full")
    assert fill.fill([]).text() == "no experiments yet"


@pytest.mark.parametrize(
    ("seconds", "device", "jobs"),
    [
        ([None, None, None], "cpu", 2),
        ([60.0, 1.0, 1.0], "cpu", 2),
        ([0.1, 0.1], "cpu", 1),
        ([60.0, 60.0], "cuda", 1),
        ([60.0], "cpu", 1),
    ],
)
def test_processes_are_started_where_they_pay(monkeypatch, seconds, device, jobs):
    monkeypatch.setattr(work, "cpu_count", lambda: 2)
    toy = toy_chapter.experiment()
    units = [work.Unit(toy, "plain", (0,), "quick", expected) for expected in seconds]
    assert work._jobs(units, device) == jobs


def test_earlier_seconds_of_other_code_tell_how_long_it_will_take(monkeypatch):
    from residual_lib.experiments.framework import experiment

    toy = toy_chapter.experiment(cost=lambda _: 1000.0)
    assert [unit.seconds for unit in toy.units(Store(), "quick", [0], [])] == [1000.0] * 2
    toy.table(**CPU)
    monkeypatch.setattr(experiment, "source_hash", lambda _: "other")
    units = toy.units(Store(), "quick", [0, 1, 2, 3, 4], [])
    assert all(0 < unit.seconds < 100 for unit in units)


def test_the_bar_shows_in_a_terminal(capsys):
    toy_chapter.experiment().table(device="cpu", jobs=1)
    assert "measuring" in capsys.readouterr().err

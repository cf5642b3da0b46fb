"""Claims: what holds, what doesn't, what is no claim, and what sabotage finds."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
import toy_chapter

from residual_lib import claims, experiments
from residual_lib.claims import Claim, Ledger, above, below, between, evaluate, sabotage
from residual_lib.claims.framework import registry as claims_registry
from residual_lib.claims.framework.sabotage import shuffled
from residual_lib.claims.framework.verdict import StatisticError
from residual_lib.experiments.framework import registry as experiments_registry


def module(name, **content):
    made = type(json)(name)
    vars(made).update(content)
    return made


@pytest.fixture(autouse=True)
def course(tmp_path, monkeypatch):
    """A course of one chapter whose experiment is the toy, with a store of its own."""
    monkeypatch.setenv("RESIDUAL_LIB_STORE", str(tmp_path / "trials"))
    toy = toy_chapter.experiment("toy", chapter=2)
    wild = toy_chapter.experiment(
        "wild", 2, variants={"a": {"level": 0.0}, "b": {"level": 1.0, "diverge": True}}
    )
    chapters = {2: module("residual_lib.experiments.degradation", EXPERIMENTS=(toy, wild))}
    monkeypatch.setattr(experiments_registry, "chapters", lambda: chapters)
    return toy


@pytest.fixture
def ledger_of(monkeypatch):
    def put(*claims):
        modules = (module("residual_lib.claims.degradation", CLAIMS=claims),)
        monkeypatch.setattr(claims_registry, "_modules", lambda: modules)

    return put


def final(table):
    """Value at the last step: seeds x variants."""
    last = table[(table["metric"] == "error") & (table["step"] == table["step"].max())]
    return last.pivot(index="seed", columns="variant", values="value")


def gain(table):
    """How much lower the residual variant ends, seed by seed: 1 in the toy, exactly."""
    ends = final(table)
    return ends["plain"] - ends["residual"]


def level(table):
    """The residual variant's last value: noise around 0."""
    return final(table)["residual"]


def claim(id="2.1", **changes):
    arguments = {
        "statement": "The residual variant ends 1 lower.",
        "source": "ours",
        "experiment": "toy",
        "statistic": gain,
        "holds_if": above(0.5),
    }
    return Claim(id, **{**arguments, **changes})


def judged(**changes):
    return evaluate(claim(**changes), progress=False)


def test_the_estimate_is_the_mean_over_seeds_and_the_interval_its_bootstrap(course):
    last = np.array([0.1 * np.random.default_rng(seed).normal(size=20)[-1] for seed in range(5)])
    verdict = judged(statistic=level, holds_if=between(-1, 1))
    assert verdict.estimate == pytest.approx(last.mean())
    # The bootstrap by its definition, written out.
    draws = np.random.default_rng(1).integers(5, size=(100_000, 5))
    expected = np.quantile(last[draws].mean(axis=1), [0.025, 0.975])
    np.testing.assert_allclose(verdict.interval, expected, atol=0.004)
    assert verdict.seeds == 5
    assert verdict.profile == "quick"


@pytest.mark.parametrize(
    ("holds_if", "conditions", "expected"),
    [
        (above(0.5), None, "holds"),
        (above(0.5), "At this size.", "holds with conditions"),
        (above(1.5), None, "does not hold here"),
        (above(1.5), "At this size.", "does not hold here"),
        (below(1.5), None, "holds"),
        (below(0.5), None, "does not hold here"),
        (between(0.9, 1.1), None, "holds"),
        (between(0, 0.9), None, "does not hold here"),
        (above(1.0), None, "does not hold here"),  # an end on the threshold is not above it
    ],
)
def test_a_claim_holds_where_its_condition_is_met(holds_if, conditions, expected):
    def one(table):
        return gain(table).round(6)

    assert judged(statistic=one, holds_if=holds_if, conditions=conditions).verdict == expected


def test_the_whole_interval_has_to_meet_the_condition():
    verdict = judged(statistic=level, holds_if=between(-1, 1))
    assert verdict.verdict == "holds"
    inside = (verdict.interval[0] + verdict.estimate) / 2
    assert judged(statistic=level, holds_if=above(inside)).verdict == "does not hold here"


def test_a_number_that_does_not_vary_with_the_seed_is_its_own_interval():
    verdict = judged(statistic=lambda table: table["variant"].nunique(), holds_if=between(1, 3))
    assert (verdict.estimate, verdict.interval) == (2.0, (2.0, 2.0))
    assert verdict.verdict == "holds"


def test_one_seed_says_nothing(course):
    table = course.table(seeds=1, device="cpu", jobs=1, progress=False)
    assert evaluate(claim(), table).verdict == "does not hold here"


def test_a_statistic_may_work_in_place_and_spoils_no_one_elses_table(course):
    def spoil(table):
        table["value"] = 0.0
        return pd.Series(1.0, index=range(5))

    table = course.table(device="cpu", jobs=1, progress=False)
    before = table.copy()
    evaluate(claim(statistic=spoil), table)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize(
    ("statistic", "message"),
    [
        (lambda table: gain(table).iloc[:4], "one value for each of the seeds .*got the index"),
        (lambda table: pd.concat([gain(table)] * 2), "one value for each of the seeds"),
        (lambda table: gain(table).rename(lambda seed: seed + 1), "one value for each"),
        (lambda table: gain(table).where(lambda x: x.index != 3), r"NaN for the seeds \[3\]"),
        (lambda table: float("nan"), r"NaN for the seeds \[0, 1, 2, 3, 4\]"),
        (lambda table: "one", "must give a Series by seed or a number, got str"),
        (lambda table: final(table), "got DataFrame"),
    ],
)
def test_a_statistic_gives_one_number_for_each_seed(statistic, message):
    with pytest.raises(ValueError, match=f"claim 2.1.* {message}|claim 2.1 is {message}"):
        judged(statistic=statistic)


def test_an_error_in_a_statistic_names_the_claim_and_keeps_its_cause():
    with pytest.raises(StatisticError, match=r"claim 2.1 failed: KeyError: 'nothing'") as caught:
        judged(statistic=lambda table: table["nothing"])
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_seed_that_diverged_is_never_left_out():
    def without_diverged(table):
        ends = final(table)
        gone = table.loc[table["metric"] == "diverged", "seed"]
        return (ends["b"] - ends["a"]).drop(gone)

    verdict = judged(experiment="wild", statistic=without_diverged)
    assert verdict.verdict == "does not hold here"
    assert np.isnan(verdict.estimate)
    assert verdict.note == "undefined, as training diverged: b (seeds 4)"


def test_a_statistic_may_count_a_diverged_seed_as_it_says():
    def counted(table):
        gone = table.loc[table["metric"] == "diverged", "seed"]
        return pd.Series(0.0, index=range(5)).where(lambda x: ~x.index.isin(gone), 1.0)

    verdict = judged(experiment="wild", statistic=counted, holds_if=above(-0.5))
    assert verdict.verdict == "holds"
    assert verdict.estimate == pytest.approx(0.2)
    assert verdict.note == ""


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"id": "2"}, ValueError, "id must be like '2.1'"),
        ({"id": 2.1}, ValueError, "id must be like '2.1'"),
        ({"id": "2.01"}, ValueError, "id must be like '2.1'"),
        ({"statement": " "}, ValueError, "statement of claim 2.1 must be one line"),
        ({"source": "a\nb"}, ValueError, "source of claim 2.1 must be one line"),
        ({"experiment": None}, ValueError, "experiment of claim 2.1 must be one line"),
        ({"statistic": "mean"}, TypeError, "statistic of claim 2.1 must be a function"),
        ({"holds_if": 0.5}, TypeError, "holds_if of claim 2.1 must be above"),
        ({"sabotage": "shuffle"}, TypeError, "sabotage of claim 2.1 must be a function"),
    ],
)
def test_arguments_of_a_claim_are_checked(changes, error, message):
    with pytest.raises(error, match=message):
        claim(**changes)


def test_conditions_are_checked_and_say_what_they_are():
    assert [str(x) for x in (above(0.5), below(2), between(-1, 1))] == [
        "above 0.5",
        "below 2",
        "between -1 and 1",
    ]
    for low, high in ((1, 1), (2, 1), (float("nan"), 1)):
        with pytest.raises(ValueError, match="low must be below high"):
            between(low, high)
    assert not above(0).met_by((float("nan"), float("nan")))


def test_claims_are_ordered_by_number_and_found(ledger_of):
    ledger_of(claim("2.10"), claim("2.9"), claim("2.1"))
    assert [found.id for found in claims.list_claims()] == ["2.1", "2.9", "2.10"]
    assert claims.list_claims("degradation") == claims.list_claims(2)
    assert claims.get("2.9").chapter == 2
    with pytest.raises(ValueError, match=r"there is no claim '9.9'; there are: 2\."):
        claims.get("9.9")
    with pytest.raises(ValueError, match=r"there is no chapter 3; there are: 2 \(degradation\)"):
        claims.list_claims(3)


def test_ids_are_unique_and_experiments_exist(ledger_of):
    ledger_of(claim("2.1"), claim("2.1"))
    with pytest.raises(ValueError, match=r"claim 2.1 is defined in .*degradation and in"):
        claims.list_claims()
    ledger_of(claim(experiment="toys"))
    with pytest.raises(ValueError, match="about 'toys', which is no experiment; there are: toy"):
        claims.list_claims()


def test_the_courses_own_claims_fit_together(monkeypatch):
    monkeypatch.undo()
    numbers = {found.chapter for found in claims.list_claims()}
    assert numbers <= set(experiments.chapters())


@pytest.fixture
def book(ledger_of):
    """A ledger of four verdicts."""
    ledger_of(
        claim(),
        claim("2.2", holds_if=above(2), statement="It ends 2 | lower."),
        claim("2.3", conditions="At this size."),
        claim("2.4", experiment="wild", statistic=lambda t: pd.Series(1.0, index=range(4))),
    )


LINES = """\
2.1  holds                  The residual variant ends 1 lower.
2.2  does not hold here     It ends 2 | lower.
2.3  holds with conditions  The residual variant ends 1 lower. Conditions: At this size.
2.4  does not hold here     The residual variant ends 1 lower.
"""


def test_verdicts_are_shown_without_what_varies(book, capsys):
    claims.show_verdicts(2)
    captured = capsys.readouterr()
    assert captured.out == LINES
    assert captured.err == ""
    assert repr(claims.ledger(2, progress=False)) + "\n" == LINES


def test_the_ledger_as_json(book):
    found = json.loads(claims.ledger(progress=False).to_json())
    assert [entry["id"] for entry in found] == ["2.1", "2.2", "2.3", "2.4"]
    first = found[0]
    assert first["estimate"] == pytest.approx(1)
    assert first["interval"] == [pytest.approx(1), pytest.approx(1)]
    assert {key: first[key] for key in ("chapter", "source", "experiment", "profile")} == {
        "chapter": 2,
        "source": "ours",
        "experiment": "toy",
        "profile": "quick",
    }
    assert first["statement"] == "The residual variant ends 1 lower."
    assert [entry["verdict"] for entry in found] == [
        "holds",
        "does not hold here",
        "holds with conditions",
        "does not hold here",
    ]
    assert found[2]["conditions"] == "At this size."
    assert found[3]["estimate"] is None
    assert found[3]["interval"] == [None, None]
    assert "diverged: b (seeds 4)" in found[3]["note"]


def test_the_ledger_as_tables_and_text(book):
    found = claims.ledger(progress=False)
    lines = found.to_markdown().splitlines()
    assert len(lines) == 6
    assert r"It ends 2 \| lower." in lines[3]
    assert "| 1 [1, 1] | above 0.5 | ours | toy (quick, 5 seeds) |" in lines[2]
    assert found.to_html().count("<tr") == 5
    assert "<td>1 [1, 1]<br><small>holds if above 0.5</small></td>" in found.to_html()
    assert "95 % bootstrap interval over seeds" in found._repr_html_()
    text = found.to_text()
    assert "2.1  HOLDS: The residual variant ends 1 lower.\n     1 [1, 1]; holds if" in text
    assert "undefined, as training diverged" in text


def test_html_is_escaped(ledger_of):
    ledger_of(claim(statement="a < b & c"))
    assert "a &lt; b &amp; c" in claims.ledger(progress=False)._repr_html_()


def test_an_empty_ledger():
    assert repr(Ledger(())) == "no claims yet"
    assert Ledger(()).to_text() == "no claims yet"
    assert Ledger(()).to_json() == "[]"


def test_shuffling_moves_labels_within_seeds_and_nothing_else(course):
    table = course.table(device="cpu", jobs=1, progress=False)
    changed = 0
    for new in shuffled(table, course, 20, np.random.default_rng(0)):
        assert list(new) == list(table)
        rest = ["seed", "step", "metric", "value", "layer"]
        pd.testing.assert_frame_equal(new[rest], table[rest])
        # Every row of a trial gets one label, and every label goes to one trial of the seed.
        moves = pd.DataFrame({"seed": new["seed"], "old": table["variant"], "new": new["variant"]})
        moves = moves.drop_duplicates()
        assert len(moves) == 10
        assert not moves.duplicated(["seed", "new"]).any()
        # The parameters come with their label.
        assert ((new["level"] == 1.0) == (new["variant"] == "plain")).all()
        assert (new["skip"] == (new["variant"] == "residual")).all()
        changed += (moves["old"] != moves["new"]).sum()
    assert 0.3 < changed / 200 < 0.7


def test_a_claim_about_the_variants_is_refuted_by_shuffling(course):
    result = sabotage(claim(), progress=False)
    assert not result.survives
    # By hand: of the 32 ways to swap the variants of 5 seeds, one leaves all as they were.
    assert result.rate == pytest.approx(1 / 32, abs=0.04)
    assert result.trials == 200
    assert result.undefined == 0
    assert "2.1  refuted" in str(result)
    assert sabotage(claim(), progress=False) == result


def test_a_claim_that_has_nothing_to_do_with_the_variants_survives():
    result = sabotage(claim(statistic=level, holds_if=below(2)), progress=False)
    assert result.survives
    assert result.held == 200
    assert "2.1  SURVIVES  holds on 200 of 200" in str(result)


def without_skip(table):
    """Every trial measured as the plain one."""
    plain = table.loc[table["variant"] == "plain", "value"].to_numpy()
    return table.assign(value=np.tile(plain, 2))


def test_a_claim_may_bring_its_own_sabotage():
    result = sabotage(claim(sabotage=without_skip), progress=False)
    assert (result.survives, result.held, result.trials) == (False, 0, 1)
    assert result.kind == "without_skip"
    assert sabotage(claim(sabotage=without_skip, holds_if=below(2)), progress=False).survives


def test_a_sabotage_may_be_a_function_with_arguments_filled_in():
    result = sabotage(claim(sabotage=partial(without_skip)), progress=False)
    assert not result.survives
    assert result.kind == "its own sabotage"


def test_a_sabotage_that_changes_nothing_is_none():
    def idle(table):
        return table

    with pytest.raises(ValueError, match=r"sabotage of claim 2.1, idle, changes nothing"):
        sabotage(claim(sabotage=idle), progress=False)


def test_a_statistic_that_fails_on_shuffled_tables_is_not_tested(course):
    table = course.table(device="cpu", jobs=1, progress=False)
    truth = gain(table)

    def fragile(table):
        if not gain(table).equals(truth):
            raise KeyError("only the truth will do")
        return truth

    result = sabotage(claim(statistic=fragile), table)
    assert result.says_nothing
    assert result.survives
    assert "give the claim a sabotage of its own" in str(result)


def test_wrong_arguments_of_sabotage():
    with pytest.raises(ValueError, match="permutations must be at least 1, got 0"):
        sabotage(claim(), permutations=0)


def test_all_claims_are_sabotaged(ledger_of):
    ledger_of(claim(), claim("2.2", sabotage=without_skip))
    found = claims.sabotage_all(2, permutations=50, progress=False)
    assert [(x.claim.id, x.trials, x.survives) for x in found] == [
        ("2.1", 50, False),
        ("2.2", 1, False),
    ]
    assert found[0].as_dict()["tables"] == 50

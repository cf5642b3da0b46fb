"""Chapter 8: its helpers against closed cases, and whole small runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from residual_lib.__main__ import main
from residual_lib.claims import unet as claims
from residual_lib.data import isbi
from residual_lib.experiments import Settings, get
from residual_lib.experiments import unet as chapter
from residual_lib.experiments.framework import recorded
from residual_lib.residual import branch_only, iter_residuals

PROFILE = {"width": 2, "train_images": 6, "test_images": 3, "steps": 2, "batch": 2, "lr": 0.01}


def settings(**profile):
    return Settings(profile={**PROFILE, **profile}, device="cpu", progress=False)


@pytest.mark.parametrize("name", chapter.VARIANTS)
def test_a_variant_has_the_skips_that_it_names(name):
    params = chapter.VARIANTS[name]
    blocks = dict(iter_residuals(chapter.build(params, 2)))
    assert list(blocks) == [chapter.level_name(level) for level in range(chapter.LEVELS)]
    kept = [
        str(level)
        for level in range(chapter.LEVELS)
        if blocks[chapter.level_name(level)].merge is not branch_only
    ]
    assert " ".join(kept) == params["skips"]


def test_a_skip_moves_and_comes_back():
    torch.manual_seed(0)
    model = chapter.build(chapter.VARIANTS["all"], 2).eval()
    x = torch.randn(2, 1, 16, 16)
    before = model(x)
    block = dict(iter_residuals(model))[chapter.level_name(0)]
    seen = []
    keep = block.merge
    block.merge = lambda shortcut, branch: seen.append(shortcut) or keep(shortcut, branch)
    model(x)
    with chapter.moved(model, 0, 2):
        model(x)
    assert torch.equal(seen[1][..., 2:], seen[0][..., :-2])
    torch.testing.assert_close(model(x), before)


def test_scores_are_means_over_images():
    truth = np.ones((2, 12, 12), bool)
    truth[:, 6] = False  # a gap between two cells
    found = chapter.scores(np.stack([truth[0], np.ones((12, 12), bool)]), truth)
    assert found["thin"] == 0.5
    assert found["iou"] == pytest.approx((1 + 132 / 144) / 2)
    assert found["pixel_error"] == pytest.approx(12 / 288)
    assert found["rand"] < 1


def test_a_run_measures_every_case():
    table = chapter.run_cells(chapter.VARIANTS["all"], [3, 4], settings())
    cases = {"intact", "noise 0.4", "noise 0.8", "only skip 0", "moved", "moved truth"}
    cases |= {f"without skip {level}" for level in range(3)}
    assert set(table["case"]) == cases
    assert set(table["seed"]) == {3, 4}
    wrong = table[table["case"] == "intact"].pivot(index="seed", columns="metric", values="value")
    np.testing.assert_allclose(wrong["pixel_error"], wrong["test_error"], atol=1e-6)
    none = chapter.run_cells(chapter.VARIANTS["none"], [3], settings())
    assert set(none["case"]) == {"intact", "noise 0.4", "noise 0.8"}
    weighted = chapter.run_cells(chapter.VARIANTS["all, weighted"], [3], settings())
    at_start = [t[t["metric"] == "gradient"]["value"].iloc[0] for t in (table, weighted)]
    assert at_start[0] == pytest.approx(at_start[1])  # of the loss without weights


def test_noise_is_fresh_and_given_back():
    x = torch.zeros(2, 1, 40, 40)
    generator = torch.Generator().manual_seed(0)
    seen, asked = chapter.add_noise(x, x, generator, noise=2)
    assert seen is asked
    assert seen.std().item() == pytest.approx(2, rel=0.05)
    assert not torch.equal(chapter.add_noise(x, x, generator, noise=2)[0], seen)


def test_distances_are_in_variances_of_the_noise(monkeypatch):
    """A net that gives back what it sees is one variance from the clean image."""

    class Same(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one = torch.nn.Parameter(torch.ones(1))

        def forward(self, x):
            return self.one * x

    monkeypatch.setattr(chapter, "create_model", lambda *args, **options: Same())
    table = chapter.run_copy({"skips": ""}, [0], settings(noise=2.0, lr=0.0, test_images=20))
    values = table.set_index("metric")["value"]
    assert values["to_noisy"] == pytest.approx(0, abs=1e-9)
    assert values["to_clean"] == pytest.approx(1, rel=0.05)


# --- claims ----------------------------------------------------------------------------------


def rows(**values):
    return pd.DataFrame(
        [
            {"seed": 0, "step": 1, "metric": metric, "variant": variant, "case": case, "value": v}
            for (metric, variant, case), v in values["cells"].items()
        ]
    )


def test_statistics_by_hand():
    table = rows(
        cells={
            ("iou", "all", "intact"): 0.8,
            ("iou", "all", "noise 0.8"): 0.5,
            ("iou", "none, longer", "intact"): 0.6,
            ("iou", "none, longer", "noise 0.8"): 0.55,
            ("thin", "all", "moved"): 0.3,
            ("thin", "all", "moved truth"): 0.7,
            ("pixel_error", "all", "noise 0.8"): 0.4,
            ("pixel_error", "none, longer", "noise 0.8"): 0.45,
            ("gradient", "none", "intact"): 0.5,
            ("gradient", "all", "intact"): 2.0,
        }
    )
    assert claims.gain("iou", "all", "none, longer", table)[0] == pytest.approx(0.2)
    assert claims.cost("iou", "all", "noise 0.8", table)[0] == pytest.approx(0.3)
    assert claims.follows("thin", table)[0] == pytest.approx(0.4)
    assert claims.gradient_kept(table)[0] == pytest.approx(-2)
    assert claims.loses_more(0.8, table)[0] == pytest.approx(0.25)
    assert claims.worse_in_noise(0.8, table)[0] == pytest.approx(-0.05)
    assert claims.gradient_kept(claims.gradient_vanished(table))[0] < -8


# --- real sections ---------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RESIDUAL_LIB_STORE", str(tmp_path / "trials"))
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "recorded")
    for variable in (chapter.FOLDER, "RESIDUAL_LIB_CIFAR"):
        monkeypatch.setenv(variable, "")  # so that what the command sets is taken back
        monkeypatch.delenv(variable)
    monkeypatch.setattr(chapter, "WINDOW", 32)
    rng = np.random.default_rng(0)
    for number in range(6):
        inside = np.zeros((64, 64), np.uint8)
        inside[4:30, 4:60] = inside[34:60, 4:60] = 255
        noise = rng.integers(0, 50, inside.shape).astype(np.uint8)
        Image.fromarray(inside // 2 + noise).save(tmp_path / f"image_{number:02}.png")
        Image.fromarray(inside).save(tmp_path / f"label_{number:02}.png")
    return tmp_path


def test_sections_run_from_the_command_line_and_are_recorded(folder, monkeypatch, capsys):
    quick = {**get("isbi").profiles["quick"], "crop": 32, "seeds": 1}
    monkeypatch.setitem(get("isbi").profiles, "quick", quick)
    assert main(["run", "isbi", "--jobs", "1"]) == 2
    assert "isbi needs --data FOLDER" in capsys.readouterr().err
    command = ["run", "isbi", "--data", str(folder), "--jobs", "1", "--device", "cpu", "--record"]
    assert main(command) == 0
    table = get("isbi").recorded()
    for metric in ("iou", "boundary", "thin", "pixel_error", "rand", "rand_chosen"):
        values = table[table["metric"] == metric]
        assert set(values["image"]) == {f"section {number}" for number in range(2, 6)}
        assert values["value"].between(0, 1).all()
    errors = table[table["metric"].isin(("pixel_error", "test_error"))]
    errors = errors.pivot_table(index="variant", columns="metric", values="value")
    np.testing.assert_allclose(errors["pixel_error"], errors["test_error"], atol=1e-6)
    truth = table[(table["metric"] == "truth") & (table["image"] == "section 2")]
    words = truth[truth["variant"] == "with skips"].sort_values("index")["value"]
    mask = isbi.unpack_rows(words, 32)
    assert mask.sum() == 26 * 28
    assert mask[4:30, 4:].all()


def test_the_recorded_run_is_whole():
    table = get("isbi").recorded()
    masks = table[table["metric"].isin(("mask", "mask_chosen", "truth"))]
    assert set(masks["seed"]) == {0}
    sizes = masks.groupby(["variant", "metric", "image"]).size()
    assert (sizes == chapter.WINDOW**2 / 32).all()
    assert len(sizes) == 2 * 3 * 4
    assert table["seed"].nunique() == 5

"""Chapter 9: its helpers against formulas, closed cases and hand computations."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from residual_lib import objective
from residual_lib.claims import transformers as claims
from residual_lib.experiments import Settings
from residual_lib.experiments import transformers as chapter


def settings(**profile):
    return Settings(profile=profile, device="cpu", progress=False)


SMALL = {"width": 8, "heads": 2, "context": 8}


def test_an_excerpt_is_spread_over_the_training_part():
    text = chapter.excerpt(16, 10, 3)
    assert text.x_train.shape == (10, 16)
    assert text.x_test.shape == (3, 16)
    assert torch.equal(text.x_train[:, 1:], text.y_train[:, :-1])
    assert not torch.equal(text.x_train[1, 0:], text.y_train[0, 1:])


def test_gradients_before_training_by_hand():
    profile = {**SMALL, "batch": 4}
    table = chapter.run_start({"norm": "post", "depth": 2}, [1], settings(**profile))
    text = chapter.excerpt(8, 4, 1)
    torch.manual_seed(1)
    model = chapter.character_model(2, 8, 2, 8, pre_norm=False, init="xavier")
    for part in (model.tokens, model.positions):
        torch.nn.init.normal_(part.weight, std=8**-0.5)
    objective.loss(model(text.x_train), text.y_train).backward()
    expected = [layer.mlp.branch.proj.weight.grad.norm().item() for layer in model.blocks]
    assert table["value"].tolist() == pytest.approx(expected, rel=1e-5)
    assert table["index"].tolist() == [1, 2]


@pytest.mark.parametrize("stack", list(chapter.STACKS))
def test_a_distance_for_every_layer_and_the_input(stack):
    profile = {**SMALL, "layers": 3, "batch": 2}
    table = chapter.run_rank({"stack": stack}, [0], settings(**profile))
    assert table["index"].tolist() == [0, 1, 2, 3]
    assert table["value"].between(0, 1).all()


def test_the_loss_is_smoothed_over_so_many_steps():
    text = chapter.excerpt(8, 16, 2)
    training = chapter.trained(
        lambda: chapter.character_model(1, 8, 2, 8),
        text,
        [0, 1],
        settings(),
        steps=6,
        batch_size=4,
        lr=1e-3,
    )
    table = chapter.smoothed(training, 3)
    assert sorted(set(table["step"])) == [3, 6]
    raw = training.history.query("metric == 'batch_loss' and seed == 1 and step >= 3")["value"]
    found = table.query("seed == 1 and step == 6")["value"].item()
    assert found == pytest.approx(raw.mean())


def test_a_placement_run_says_how_far_from_rank_one_it_ends():
    profile = {**SMALL, "batch": 4, "windows": 16, "steps": 4, "every": 2, "warmup": 2}
    params = {"norm": "post", "depth": 2, "rate": "high", "warmup": True}
    table = chapter.run_placement(params, [0], settings(**profile, high=1e-3))
    (distance,) = table[table["metric"] == "distance"]["value"]
    assert 0 < distance < 1
    assert table[table["metric"] == "loss"]["step"].tolist() == [2, 4]


def test_exchanging_layers_is_exchanging_their_weights():
    text = chapter.excerpt(8, 4, 4)
    torch.manual_seed(0)
    model = chapter.character_model(3, 8, 2, 8, init="xavier").eval()
    batch = text.x_test, text.y_test
    found = dict(chapter.swaps(model, batch))
    assert list(found) == [1, 2]
    model.blocks[1], model.blocks[2] = model.blocks[2], model.blocks[1]
    assert objective.loss(model(batch[0]), batch[1]).item() == pytest.approx(found[2], rel=1e-5)


def test_everything_that_is_asked_of_the_character_model_is_measured():
    profile = {**SMALL, "layers": 2, "batch": 4, "windows": 16, "test_windows": 4}
    profile |= {"steps": 4, "every": 2, "warmup": 1, "lr": 1e-3}
    table = chapter.run_characters({"norm": "pre"}, [0], settings(**profile))
    table = table.assign(variant="pre")
    assert len(claims.stream(table, "norm").columns) == 5
    assert list(claims.damage(table).columns) == [1, 2, 3, 4]
    assert list(claims.damage(table, "lesion_head").columns) == [11, 12, 21, 22]
    assert list(claims.damage(table, "swap").columns) == [1]
    assert claims.stream(table, "lens_agreement", "before")[4].item() == 1


# --- statistics -------------------------------------------------------------------------------


def rows(metric, values, variant="attention", step=0):
    return pd.DataFrame(
        {"seed": 0, "step": step, "metric": metric, "index": range(len(values)), "value": values}
    ).assign(variant=variant)


def test_a_cubic_law_triples_the_logarithm():
    table = rows("distance", [0.9 ** (3**layer) for layer in range(5)])
    assert claims.growth_of_logarithm("attention", table).item() == pytest.approx(3)


def test_an_exponential_has_a_factor_and_a_power_law_a_power():
    falls = rows("distance", [0.7**layer for layer in range(25)])
    assert claims.factor_a_layer("attention", falls).item() == pytest.approx(0.7)
    power = rows("distance", [1.0, *(layer**-0.5 for layer in range(1, 25))])
    assert claims.power_of_layer("attention", power).item() == pytest.approx(-0.5)


def test_the_power_of_the_depth():
    tables = [
        rows("gradient", [1.0] * (depth - 1) + [depth**-0.5], f"pre-{depth}")
        for depth in (6, 12, 24)
    ]
    assert claims.power_of_depth("pre", pd.concat(tables)).item() == pytest.approx(-0.5)


def test_the_last_loss_of_each_variant_counts():
    ends = [
        pd.DataFrame(
            {"seed": 0, "step": [20, last], "metric": "loss", "index": 0, "value": [9.0, value]}
        ).assign(variant=variant)
        for variant, last, value in (("a", 100, 3.0), ("b", 400, 2.0))
    ]
    assert claims.lost("a", "b", pd.concat(ends)).item() == 1


def test_an_even_guess():
    assert pytest.approx(np.log(65)) == claims.GUESS == math.log(65)

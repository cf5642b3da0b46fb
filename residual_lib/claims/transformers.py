"""What chapter 9 claims about Transformers."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pandas as pd

from residual_lib.claims import Claim, above, below, between

GUESS = math.log(65)  # the loss of an even guess among the characters

# --- from table to numbers ------------------------------------------------------------------


def at(table: pd.DataFrame, metric: str, variant: str, step: str = "after") -> pd.DataFrame:
    """A metric of a variant before or after training: seeds x index."""
    rows = table[(table["metric"] == metric) & (table["variant"] == variant)]
    wanted = rows["step"] == 0 if step == "before" else rows["step"] > 0
    return rows[wanted].pivot(index="seed", columns="index", values="value")


def gradients(table: pd.DataFrame, variant: str) -> pd.DataFrame:
    """Gradient of the loss in the MLP's last layer, before training: seeds x layers."""
    return at(table, "gradient", variant, "before")


def power_of_depth(norm: str, table: pd.DataFrame) -> pd.Series:
    """The power of the depth with which the last layer's gradient goes: a line through logs."""
    depths = [6, 12, 24]
    last = np.array([gradients(table, f"{norm}-{depth}").iloc[:, -1] for depth in depths])
    slopes = np.polyfit(np.log(depths), np.log(last), 1)[0]
    return pd.Series(slopes, index=gradients(table, f"{norm}-6").index)


def last_over_last(table: pd.DataFrame, depth: int = 24) -> pd.Series:
    """The last layer's gradient, post-LN over pre-LN."""
    post, pre = (gradients(table, f"{norm}-{depth}").iloc[:, -1] for norm in ("post", "pre"))
    return post / pre


def last_over_first(norm: str, table: pd.DataFrame, depth: int = 24) -> pd.Series:
    """The gradient in the last layer over that in the first."""
    values = gradients(table, f"{norm}-{depth}")
    return values.iloc[:, -1] / values.iloc[:, 0]


def distances(table: pd.DataFrame, stack: str) -> pd.DataFrame:
    """Relative distance to rank one before training: seeds x layers (0 is the input)."""
    return at(table, "distance", stack, "before")


def growth_of_logarithm(stack: str, table: pd.DataFrame, layer: int = 3) -> pd.Series:
    """By which factor the logarithm of the distance grows from one layer to the next."""
    values = np.log(distances(table, stack))
    return values[layer + 1] / values[layer]


def decades(stack: str, layer: int, table: pd.DataFrame) -> pd.Series:
    """log10 of the distance behind a layer."""
    return np.log10(distances(table, stack)[layer])


def decades_gap(far: str, near: str, layer: int, table: pd.DataFrame) -> pd.Series:
    """By how many powers of ten one stack is farther from rank one than another."""
    return decades(far, layer, table) - decades(near, layer, table)


def factor_a_layer(stack: str, table: pd.DataFrame, start: int = 12) -> pd.Series:
    """The factor a layer by which the distance falls, from layer `start` to the last."""
    values = distances(table, stack)
    last = int(values.columns.max())
    return (values[last] / values[start]) ** (1 / (last - start))


def power_of_layer(stack: str, table: pd.DataFrame, start: int = 12) -> pd.Series:
    """The power of the layer's number with which the distance goes, from layer `start` on."""
    values = distances(table, stack).loc[:, start:]
    slopes = np.polyfit(np.log(values.columns.to_numpy(float)), np.log(values.to_numpy()).T, 1)[0]
    return pd.Series(slopes, index=values.index)


def losses(table: pd.DataFrame) -> pd.DataFrame:
    """Mean loss of the last 20 steps' batches: seeds x variants."""
    rows = table[table["metric"] == "loss"]
    ends = rows[rows["step"] == rows.groupby("variant")["step"].transform("max")]
    return ends.pivot(index="seed", columns="variant", values="value")


def lost(worse: str, better: str, table: pd.DataFrame) -> pd.Series:
    """By how much the loss of one net is above another's, in nats."""
    values = losses(table)
    return values[worse] - values[better]


def wider_with_depth(table: pd.DataFrame) -> pd.Series:
    """What post-LN loses against pre-LN at 24 layers minus what it loses at 6, high rate."""
    deep, shallow = (lost(f"post-{d}-high", f"pre-{d}-high", table) for d in (24, 6))
    return deep - shallow


def alike(variant: str, table: pd.DataFrame) -> pd.Series:
    """log10 of the distance to rank one of the trained net's last stream."""
    return np.log10(at(table, "distance", variant).iloc[:, -1])


def stream(table: pd.DataFrame, metric: str, step: str = "after") -> pd.DataFrame:
    """A metric of the character model: seeds x blocks."""
    return at(table, metric, "pre", step)


def norm_growth(table: pd.DataFrame) -> pd.Series:
    """The stream's norm behind the last block over that in front of the first."""
    values = stream(table, "norm")
    return values.iloc[:, -1] / values.iloc[:, 0]


def least_cosine(table: pd.DataFrame) -> pd.Series:
    """The least cosine between what enters and leaves one of the last four blocks."""
    return stream(table, "cosine").iloc[:, -4:].min(axis=1)


def first_cosine(table: pd.DataFrame) -> pd.Series:
    """The cosine between what enters and leaves the first layer's attention and MLP, the less."""
    return stream(table, "cosine").iloc[:, :2].min(axis=1)


def worse_than_a_guess(table: pd.DataFrame) -> pd.Series:
    """Loss of the lens on the bare embeddings minus that of an even guess."""
    return stream(table, "lens_loss")[0] - GUESS


def least_improvement(table: pd.DataFrame) -> pd.Series:
    """By how much the lens's loss falls at the block where it falls least."""
    return -stream(table, "lens_loss").diff(axis=1).iloc[:, 1:].max(axis=1)


def gained_agreement(block: int, table: pd.DataFrame) -> pd.Series:
    """By how much the share of positions at which the lens names the model's own character rises
    at a block."""
    shares = stream(table, "lens_agreement")
    return shares[block] - shares[block - 1]


def agreement_before(table: pd.DataFrame) -> pd.Series:
    """Before training: share of positions at which the lens on the embeddings names the model's
    own character."""
    return stream(table, "lens_agreement", "before")[0]


def damage(table: pd.DataFrame, metric: str = "lesion") -> pd.DataFrame:
    """By how much a lesion, or an exchange, raises the loss: seeds x index."""
    values = stream(table, metric)
    intact = stream(table, "lesion")[0]
    return values.drop(columns=0, errors="ignore").sub(intact, axis=0)


def damage_of(metric: str, index: int, table: pd.DataFrame) -> pd.Series:
    """Damage at one index."""
    return damage(table, metric)[index]


def worst_late(table: pd.DataFrame) -> pd.Series:
    """The largest damage of deleting one of the last four blocks."""
    return damage(table).iloc[:, -4:].max(axis=1)


def worst_head(table: pd.DataFrame) -> pd.Series:
    """The largest damage of deleting one head."""
    return damage(table, "lesion_head").max(axis=1)


def one_for_another(old: str, new: str, table: pd.DataFrame) -> pd.DataFrame:
    """The measurements of the variants `new` in the place of those of `old`."""
    chosen = table["variant"].str.contains(new, regex=False)
    copies = table[chosen]
    copies = copies.assign(variant=copies["variant"].str.replace(new, old, regex=False))
    kept = table[~table["variant"].isin(copies["variant"])]
    return pd.concat([kept, copies], ignore_index=True)


def stack_for_stack(old: str, new: str, table: pd.DataFrame) -> pd.DataFrame:
    """The measurements of one variant in the place of another's."""
    copies = table[table["variant"] == new].assign(variant=old)
    return pd.concat([table[table["variant"] != old], copies], ignore_index=True)


def untrained(table: pd.DataFrame) -> pd.DataFrame:
    """The stream and the lens before training as if they were those after it."""
    looked = table["metric"].str.startswith(("lens", "norm", "growth", "cosine"))
    before = table[looked & (table["step"] == 0)].assign(step=table["step"].max())
    return pd.concat([table[~looked], before], ignore_index=True)


def trained_as_untrained(table: pd.DataFrame) -> pd.DataFrame:
    """The lens after training as if it were the one before it."""
    lens = table["metric"] == "lens_agreement"
    after = table[lens & (table["step"] > 0)].assign(step=0)
    return pd.concat([table[~lens], after], ignore_index=True)


def blocks_reversed(table: pd.DataFrame) -> pd.DataFrame:
    """What was measured by block or layer, in the opposite order."""
    turned = table["metric"].isin(
        ("lesion", "swap", "cosine", "lens_loss", "lens_agreement", "norm")
    )
    turned &= (table["index"] > 0) | table["metric"].isin(("lens_loss", "lens_agreement", "norm"))
    first, last = (
        table[turned].groupby("metric")["index"].transform(end) for end in ("min", "max")
    )
    return table.assign(index=(first + last - table["index"]).where(turned, table["index"]))


def mlp_for_head(table: pd.DataFrame) -> pd.DataFrame:
    """The loss without the whole first MLP as if one head were missing."""
    block = table[(table["metric"] == "lesion") & (table["index"] == 2)]
    others = table[(table["metric"] != "lesion_head") | (table["index"] != 11)]
    copies = block.assign(metric="lesion_head", index=11)
    return pd.concat([others, copies], ignore_index=True)


# --- claims ---------------------------------------------------------------------------------

XIONG = "Xiong et al. 2020"
DONG = "Dong et al. 2021"
CLAIMS = (
    # Gradients before training
    Claim(
        id="9.1",
        statement=(
            "Before training the last MLP's gradient in post-LN doesn't fall with the depth as "
            "pre-LN's does: it goes with a power of the depth above -0.2."
        ),
        source=f"{XIONG}: a bound that doesn't depend on the depth",
        experiment="transformer_start",
        statistic=partial(power_of_depth, "post"),
        holds_if=above(-0.2),
        sabotage=partial(one_for_another, "post", "pre"),
    ),
    Claim(
        id="9.2",
        statement="In pre-LN it falls: the power is between -0.9 and -0.2; derived: -0.5.",
        source=f"{XIONG}: a bound with the power -1/2",
        experiment="transformer_start",
        statistic=partial(power_of_depth, "pre"),
        holds_if=between(-0.9, -0.2),
        sabotage=partial(one_for_another, "pre", "post"),
    ),
    Claim(
        id="9.3",
        statement="At 24 layers post-LN's is over 3 times as large as pre-LN's.",
        source="ours",
        experiment="transformer_start",
        statistic=last_over_last,
        holds_if=above(3),
        sabotage=partial(one_for_another, "post", "pre"),
    ),
    Claim(
        id="9.4",
        statement=(
            "In post-LN of 24 layers the gradient before training is larger in the last layer "
            "than in the first."
        ),
        source="ours",
        experiment="transformer_start",
        statistic=partial(last_over_first, "post"),
        holds_if=above(1),
        sabotage=partial(one_for_another, "post", "pre"),
    ),
    Claim(
        id="9.5",
        statement="In pre-LN of 24 layers it is smaller at the top: below half.",
        source="ours",
        experiment="transformer_start",
        statistic=partial(last_over_first, "pre"),
        holds_if=below(0.5),
        sabotage=partial(one_for_another, "pre", "post"),
    ),
    # Rank collapse before training
    Claim(
        id="9.6",
        statement=(
            "Attention without skip and MLP: from layer 3 to 4 the logarithm of the distance to "
            "rank one grows by a factor between 2.5 and 3.5; derived: 3."
        ),
        source=f"{DONG}: a cubic rate",
        experiment="rank_collapse",
        statistic=partial(growth_of_logarithm, "attention"),
        holds_if=between(2.5, 3.5),
        sabotage=partial(stack_for_stack, "attention", "attention, skip"),
    ),
    Claim(
        id="9.7",
        statement="Five such layers leave less than 1e-12 of the distance.",
        source=DONG,
        experiment="rank_collapse",
        statistic=partial(decades, "attention", 5),
        holds_if=below(-12),
        sabotage=partial(stack_for_stack, "attention", "causal attention"),
    ),
    Claim(
        id="9.8",
        statement="A random MLP in each layer slows the collapse: farther away after four layers.",
        source="popular",
        experiment="rank_collapse",
        statistic=partial(decades_gap, "attention, MLP", "attention", 4),
        holds_if=above(0),
        sabotage=partial(stack_for_stack, "attention, MLP", "attention"),
    ),
    Claim(
        id="9.9",
        statement="With skips 24 layers of attention keep more than a fifth of the distance.",
        source=DONG,
        experiment="rank_collapse",
        statistic=partial(decades, "attention, skip", 24),
        holds_if=above(math.log10(0.2)),
        sabotage=partial(stack_for_stack, "attention, skip", "attention"),
    ),
    Claim(
        id="9.10",
        statement=(
            "With skips, MLPs and pre-LN the distance falls like a power of the layer's number, "
            "between -0.7 and -0.25, from layer 12 to 24; derived: -0.5."
        ),
        source="derived on the page",
        experiment="rank_collapse",
        statistic=partial(power_of_layer, "attention, MLP, skip"),
        holds_if=between(-0.7, -0.25),
        sabotage=partial(stack_for_stack, "attention, MLP, skip", "attention, MLP, skip, post-LN"),
    ),
    Claim(
        id="9.11",
        statement=(
            "With skips, MLPs and post-LN it falls exponentially: by a factor between 0.65 and "
            "0.8 a layer, from layer 12 to 24."
        ),
        source="ours",
        experiment="rank_collapse",
        statistic=partial(factor_a_layer, "attention, MLP, skip, post-LN"),
        holds_if=between(0.65, 0.8),
        sabotage=partial(stack_for_stack, "attention, MLP, skip, post-LN", "attention, MLP, skip"),
    ),
    Claim(
        id="9.12",
        statement=(
            "Behind five layers of attention without skips a causal mask leaves over 10 powers of "
            "ten more of the distance."
        ),
        source="ours",
        experiment="rank_collapse",
        statistic=partial(decades_gap, "causal attention", "attention", 5),
        holds_if=above(10),
    ),
    # Training
    Claim(
        id="9.13",
        statement=(
            "At 6 layers and the low rate pre- and post-LN end equal, without warm-up: within "
            "0.15 nats after 400 steps."
        ),
        source="ours",
        experiment="norm_placement",
        statistic=partial(lost, "post-6-low", "pre-6-low"),
        holds_if=between(-0.15, 0.15),
        sabotage=partial(stack_for_stack, "post-6-low", "post-6-high"),
    ),
    Claim(
        id="9.14",
        statement="At 6 layers and the high rate post-LN ends above pre-LN, on average.",
        source="ours",
        experiment="norm_placement",
        statistic=partial(lost, "post-6-high", "pre-6-high"),
        holds_if=above(0),
        sabotage=partial(stack_for_stack, "post-6-high", "pre-6-high"),
    ),
    Claim(
        id="9.15",
        statement=(
            "With warm-up to the high rate, at 24 layers, post-LN ends over 0.08 nats above "
            "pre-LN without one."
        ),
        source="ours",
        experiment="norm_placement",
        statistic=partial(lost, "post-24-high-warm", "pre-24-high"),
        holds_if=above(0.08),
        sabotage=partial(stack_for_stack, "post-24-high-warm", "pre-24-high"),
    ),
    Claim(
        id="9.16",
        statement="At the high rate what post-LN loses against pre-LN is more at 24 layers than 6.",
        source="popular",
        experiment="norm_placement",
        statistic=wider_with_depth,
        holds_if=above(0),
        sabotage=partial(stack_for_stack, "post-24-high", "pre-24-high"),
    ),
    Claim(
        id="9.17",
        statement=(
            "At 6 layers and the high rate 50 steps of warm-up make post-LN end over 0.1 nats "
            "lower."
        ),
        source="Xiong et al. 2020, at another scale",
        experiment="norm_placement",
        statistic=partial(lost, "post-6-high", "post-6-high-warm"),
        holds_if=above(0.1),
        sabotage=partial(stack_for_stack, "post-6-high-warm", "post-6-high"),
    ),
    Claim(
        id="9.18",
        statement=(
            "After training with warm-up to the high rate, the last stream of post-LN of 24 "
            "layers is within 0.1 of rank one: all positions are nearly alike."
        ),
        source="ours",
        experiment="norm_placement",
        statistic=partial(alike, "post-24-high-warm"),
        holds_if=below(-1),
        sabotage=partial(stack_for_stack, "post-24-high-warm", "pre-24-high"),
    ),
    # The character model
    Claim(
        id="9.19",
        statement="In the trained character model the stream's norm grows over 5 times.",
        source="ours",
        experiment="character_model",
        statistic=norm_growth,
        holds_if=above(5),
        sabotage=blocks_reversed,
    ),
    Claim(
        id="9.20",
        statement="Its last four blocks hardly turn the stream: each with a cosine above 0.97.",
        source="ours",
        experiment="character_model",
        statistic=least_cosine,
        holds_if=above(0.97),
        sabotage=blocks_reversed,
    ),
    Claim(
        id="9.21",
        statement="A block of its first layer turns it: a cosine below 0.6.",
        source="ours",
        experiment="character_model",
        statistic=first_cosine,
        holds_if=below(0.6),
        sabotage=blocks_reversed,
    ),
    Claim(
        id="9.22",
        statement=(
            "The logit lens on the trained model's bare embeddings is worse than an even guess, "
            "by over 0.3 nats."
        ),
        source="ours",
        experiment="character_model",
        statistic=worse_than_a_guess,
        holds_if=above(0.3),
        sabotage=untrained,
    ),
    Claim(
        id="9.23",
        statement=(
            "At the first MLP the share of positions at which the lens names the model's own "
            "character rises by over 40 points."
        ),
        source="ours",
        experiment="character_model",
        statistic=partial(gained_agreement, 2),
        holds_if=above(0.4),
        sabotage=untrained,
    ),
    Claim(
        id="9.24",
        statement="Deleting the first MLP raises the loss by over 0.4 nats.",
        source="ours",
        experiment="character_model",
        statistic=partial(damage_of, "lesion", 2),
        holds_if=above(0.4),
        sabotage=blocks_reversed,
    ),
    Claim(
        id="9.25",
        statement="Deleting any one of the last four blocks raises it by less than 0.05 nats.",
        source="ours",
        experiment="character_model",
        statistic=worst_late,
        holds_if=below(0.05),
        sabotage=blocks_reversed,
    ),
    Claim(
        id="9.26",
        statement="No single head costs as much as the first MLP: below 0.3 nats.",
        source="ours",
        experiment="character_model",
        statistic=worst_head,
        holds_if=below(0.3),
        sabotage=mlp_for_head,
    ),
    Claim(
        id="9.27",
        statement="Layers 3 and 4 exchanged: the loss rises by less than 0.05 nats.",
        source="ours",
        experiment="character_model",
        statistic=partial(damage_of, "swap", 3),
        holds_if=below(0.05),
        sabotage=blocks_reversed,
    ),
    Claim(
        id="9.28",
        statement="Layers 1 and 2 exchanged: it rises by over 0.4 nats.",
        source="ours",
        experiment="character_model",
        statistic=partial(damage_of, "swap", 1),
        holds_if=above(0.4),
        sabotage=blocks_reversed,
    ),
    Claim(
        id="9.29",
        statement="Every block improves what the lens says, by over 0.05 nats.",
        source="popular",
        experiment="character_model",
        statistic=least_improvement,
        holds_if=above(0.05),
    ),
    Claim(
        id="9.30",
        statement=(
            "Before any training the lens on the bare embeddings names the model's own character "
            "at over 80 % of the positions."
        ),
        source="ours",
        experiment="character_model",
        statistic=agreement_before,
        holds_if=above(0.8),
        sabotage=trained_as_untrained,
    ),
)

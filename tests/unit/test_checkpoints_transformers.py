"""Weights in GPT-2's and BERT's layouts give the same logits here as there."""

import pytest
import third_party_transformers as third_party
import torch
from safetensors.torch import save_file

from residual_lib import checkpoints
from residual_lib.checkpoints.transformers import BERT_NAMES, GPT2_NAMES
from residual_lib.models import create_model


def randomised(model, seed=0):
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return model.eval()


def write(path, state):
    if path.suffix == ".safetensors":  # which takes no tensor twice
        save_file({name: t.clone().contiguous() for name, t in state.items()}, path)
    else:
        torch.save(state, path)
    return path


def close(ours, theirs):
    return (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


IDX = torch.randint(13, (2, 8), generator=torch.Generator().manual_seed(0))


def bare(state):
    """As the file on the hub: no prefix, no head, the masks left in."""
    return {n.removeprefix("transformer."): t for n, t in state.items() if n != "lm_head.weight"}


def compiled(state):
    return {"model": {f"_orig_mod.{name}": t for name, t in state.items()}, "iter_num": 5}


CASES = {
    "with prefix and head": ({}, lambda state: state, ".pt"),
    "bare": ({}, bare, ".safetensors"),
    "without masks": ({"buffers": False}, lambda state: state, ".bin"),
    "nanoGPT": ({"layer": third_party.linear, "buffers": False}, compiled, ".pt"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("layout", ["auto", "gpt2"])
def test_gpt2_weights_give_the_same_logits(case, layout, tmp_path):
    options, wrap, suffix = CASES[case]
    theirs = randomised(third_party.GPT2(**options))
    path = write(tmp_path / f"weights{suffix}", wrap(theirs.state_dict()))
    # nanoGPT has GELU itself, GPT-2 a formula with a tanh, and no file says so.
    activation = "gelu" if case == "nanoGPT" else "gelu_tanh"
    ours = checkpoints.load(path, "small_gpt", layout, n_head=2, activation=activation)
    assert ours.layout == "gpt2"
    with torch.no_grad():
        assert close(ours(IDX).mT, theirs(IDX))
        assert close(ours(IDX[:, :5]).mT, theirs(IDX[:, :5]))


def test_what_the_shapes_tell_is_not_asked(tmp_path):
    path = write(tmp_path / "a.pt", third_party.GPT2(words=17, layers=2).state_dict())
    assert checkpoints.load(path, "small_gpt", n_head=3).options == {
        "vocab_size": 17, "block_size": 8, "n_embd": 12, "n_layer": 2, "n_head": 3,
        "mlp_ratio": 4.0, "bias": True, "pre_norm": True,
    }  # fmt: skip


def test_heads_and_activation_have_to_be_said(tmp_path):
    theirs = randomised(third_party.GPT2())
    path = write(tmp_path / "a.pt", theirs.state_dict())
    with torch.no_grad():
        for options in ({"n_head": 3, "activation": "gelu_tanh"}, {"n_head": 2}):
            assert not close(checkpoints.load(path, "small_gpt", **options)(IDX).mT, theirs(IDX))


def test_published_names_fit_the_published_sizes(tmp_path):
    """The 148 weights of GPT-2 small, under their own names, find their places."""
    with torch.device("meta"):
        theirs = third_party.GPT2(50257, 1024, 12, 12, 768, buffers=False).state_dict()
        ours = create_model("gpt2").state_dict()
    naming = GPT2_NAMES
    found = naming.names(ours, {})
    del theirs["lm_head.weight"]
    assert len(theirs) == 148
    assert {f"transformer.{name}" for name in found.values()} == set(theirs)
    for name, tensor in ours.items():
        shape = theirs[f"transformer.{found[name]}"].shape
        conv1d = "c_" in found[name] and tensor.ndim == 2
        assert tensor.shape == (shape[::-1] if conv1d else shape)


def test_an_untied_head_is_too_much(tmp_path):
    state = third_party.GPT2().state_dict()
    state["lm_head.weight"] = state["lm_head.weight"] + 1
    path = write(tmp_path / "a.pt", state)
    with pytest.raises(ValueError, match=r"\(layout gpt2\): extra 1: lm_head.weight$"):
        checkpoints.load(path, "small_gpt", n_head=2)


def test_misfits_are_named_as_in_the_file(tmp_path):
    state = third_party.GPT2().state_dict()
    del state["transformer.h.1.ln_2.bias"]
    state["transformer.h.1.mlp.c_proj.weight"] = torch.zeros(47, 12)
    path = write(tmp_path / "a.pt", state)
    with pytest.raises(ValueError, match="doesn't fit small_gpt") as caught:
        checkpoints.load(path, "small_gpt", n_head=2)
    assert str(caught.value) == (
        "a.pt doesn't fit small_gpt (layout gpt2): missing 1: h.1.ln_2.bias; "
        "misshapen 1: h.1.mlp.c_proj.weight (12, 47), not (12, 48)"
    )


MASK = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])
TYPES = torch.tensor([[0] * 4 + [1] * 4, [0] * 8])


def old(state):
    """As in the oldest files."""
    return {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): t
        for name, t in state.items()
    }


@pytest.mark.parametrize("rename", [lambda state: state, old])
@pytest.mark.parametrize("head", ["masked", "pooler"])
def test_bert_weights_give_the_same_outputs(head, rename, tmp_path):
    """A file from BERT's training has both heads; the one that isn't asked for is left out."""
    theirs = randomised(third_party.BertForPreTraining())
    path = write(tmp_path / "a.bin", rename(theirs.state_dict()))
    ours = checkpoints.load(path, "small_bert", n_head=2, head=head)
    assert (ours.layout, ours.options["pre_norm"]) == ("bert", False)
    with torch.no_grad():
        output = ours(IDX, MASK, TYPES)
        if head == "masked":
            assert close(output.mT, theirs(IDX, MASK, TYPES))
        else:
            assert close(output, theirs.bert(IDX, MASK, TYPES))


def test_a_bare_bert_has_a_pooler_alone(tmp_path):
    theirs = randomised(third_party.BertModel())
    path = write(tmp_path / "a.safetensors", theirs.state_dict())
    ours = checkpoints.load(path, "small_bert", n_head=2)
    assert ours.options["head"] == "pooler"
    with torch.no_grad():
        assert close(ours(IDX, MASK, TYPES), theirs(IDX, MASK, TYPES))
    with pytest.raises(ValueError, match=r"missing .* cls\.predictions\.bias"):
        checkpoints.load(path, "small_bert", n_head=2, head="masked")


def test_published_names_fit_bert_base():
    with torch.device("meta"):
        sizes = {"longest": 512, "layers": 12, "heads": 12}
        theirs = third_party.BertForPreTraining(30522, 768, **sizes).state_dict()
    for copy in ("weight", "bias"):  # tied; numbers that aren't there can't be compared
        del theirs[f"cls.predictions.decoder.{copy}"]
    naming = BERT_NAMES
    prepared = naming.prepared(theirs)
    used = set()
    for head in ("masked", "pooler"):
        with torch.device("meta"):
            ours = create_model("bert-base-uncased", head=head).state_dict()
        for name, place in naming.names(ours, {}).items():
            assert prepared[place].shape == ours[name].shape
            used.add(place)
    assert {name for name in prepared if name not in used} == {
        "cls.seq_relationship.weight", "cls.seq_relationship.bias",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("small_gpt", {"pre_norm": False, "bias": False, "n_layer": 2, "vocab_size": 9}),
        ("small_gpt", {"mlp_ratio": 0, "n_layer": 1}),
        ("small_bert", {"head": "pooler", "pre_norm": True, "n_embd": 32}),
        ("small_bert", {"type_vocab_size": 3}),
    ],
)
def test_our_own_weights_come_back(name, options, tmp_path):
    model = create_model(name, **options)
    path = checkpoints.save(model, tmp_path / "own.safetensors")
    back = checkpoints.load(path, name)
    assert back.layout == "residual_lib"
    assert back.state_dict().keys() == model.state_dict().keys()
    for key, tensor in model.state_dict().items():
        assert torch.equal(back.state_dict()[key], tensor)
    idx = IDX.clamp(max=8)
    assert torch.equal(back(idx), model.eval()(idx))

"""Generation: with and without a cache, greedy, by temperature, by seed, and what is refused."""

import pytest
import torch

from residual_lib import data
from residual_lib.data.text import decode, encode
from residual_lib.generation import generate
from residual_lib.models import BERT, GPT
from residual_lib.nn import Cache, attending

TINY = {"vocab_size": 11, "block_size": 9, "n_layer": 3, "n_head": 2, "n_embd": 8}


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = GPT(**TINY).double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.5 * torch.randn_like(p))
    return model


PROMPT = torch.tensor([[1, 2, 3], [7, 0, 7]])


@pytest.mark.parametrize("pieces", [[1] * 9, [4, 1, 4], [3, 3, 3], [9]])
def test_a_cache_gives_the_logits_of_the_whole(model, pieces):
    """Fed one token at a time or several, the model says what it says of the whole text."""
    idx = torch.randint(11, (2, 9), generator=torch.Generator().manual_seed(1))
    cache = Cache()
    parts = [model(piece, cache) for piece in idx.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(parts, 2), model(idx))
    assert cache.length == 9
    with pytest.raises(ValueError, match=r"1 to 9 positions \(block_size\), got 10"):
        model(idx[:, :1], cache)


@pytest.mark.parametrize("options", [{}, {"temperature": 0}, {"top_k": 3}, {"temperature": 3.0}])
def test_cached_equals_uncached(model, options):
    """Also where the text outgrows the model's longest sequence."""
    one = generate(model, PROMPT, 20, **options)
    other = generate(model, PROMPT, 20, cached=False, **options)
    assert one.shape == (2, 23)
    assert torch.equal(one, other)
    assert torch.equal(one[:, :3], PROMPT)


def test_a_step_with_a_cache_reads_one_token(model):
    seen = []
    hook = model.tokens.register_forward_hook(lambda m, x, y: seen.append(x[0].shape[1]))
    generate(model, PROMPT, 9)
    hook.remove()
    # Three at once, then one by one up to 9; then the last 9 each time.
    assert seen == [3, 1, 1, 1, 1, 1, 1, 9, 9]


def test_temperature_0_is_greedy(model):
    text = PROMPT
    for _ in range(4):
        text = torch.cat((text, model(text)[..., -1].argmax(1, keepdim=True)), 1)
    assert torch.equal(generate(model, PROMPT, 4, temperature=0), text)
    assert torch.equal(generate(model, PROMPT, 4, temperature=0, seed=5), text)
    assert torch.equal(generate(model, PROMPT, 4, top_k=1, seed=5), text)
    assert torch.equal(generate(model, PROMPT, 4, temperature=1e-300), text)


def test_a_seed_gives_one_text(model):
    state = torch.random.get_rng_state()
    one = generate(model, PROMPT, 12, seed=1)
    assert torch.equal(one, generate(model, PROMPT, 12, seed=1))
    assert not torch.equal(one, generate(model, PROMPT, 12, seed=2))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("top_k", [None, 4])
def test_draws_follow_the_softmax(model, temperature, top_k):
    """4000 draws of the next token: each within five standard errors of its share."""
    logits = model(PROMPT[:1])[0, :, -1] / temperature
    if top_k is not None:
        logits[logits < logits.topk(top_k).values[-1]] = -torch.inf
    shares = logits.softmax(0)
    many = PROMPT[:1].expand(4000, 3)
    drawn = generate(model, many, 1, temperature=temperature, top_k=top_k, seed=3)[:, -1]
    found = torch.bincount(drawn, minlength=11) / 4000
    assert ((found - shares).abs() <= 5 * (shares * (1 - shares) / 4000).sqrt() + 1e-12).all()


def test_one_text_comes_back_as_one(model):
    one = generate(model, PROMPT[0], 5)
    assert one.shape == (8,)
    assert torch.equal(one, generate(model, PROMPT[:1], 5)[0])
    assert torch.equal(generate(model, PROMPT[0], 0), PROMPT[0])
    assert generate(model, PROMPT[0], 5, top_k=99).shape == (8,)  # as many as there are


def test_a_long_prompt_is_read_from_its_end(model):
    long = torch.cat((PROMPT, PROMPT, PROMPT, PROMPT), 1)
    short = generate(model, long[:, -9:], 3)
    assert torch.equal(generate(model, long, 3)[:, -3:], short[:, -3:])


def test_the_model_is_left_as_it_was():
    model = GPT(**TINY, dropout=0.5)
    model.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    one = generate(model, PROMPT, 5)
    assert torch.equal(one, generate(model, PROMPT, 5))  # dropout is off
    assert [module.training for module in model.modules()] == modes
    assert all(getattr(m, "cache", None) is None for m in model.modules())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_new_tokens": -1}, ValueError, "max_new_tokens must be a whole .* got -1"),
        ({"max_new_tokens": 1.5}, TypeError, "max_new_tokens must be a whole number, got 1.5"),
        ({"temperature": -0.1}, ValueError, "temperature must be a number of at least 0, got -0.1"),
        ({"temperature": float("nan")}, ValueError, "temperature must be .* got nan"),
        ({"temperature": float("inf")}, ValueError, "temperature must be .* got inf"),
        ({"temperature": "hot"}, TypeError, "temperature must be a number, got 'hot'"),
        ({"top_k": 0}, ValueError, "top_k must be a whole number of at least 1, got 0"),
        ({"seed": None}, TypeError, "seed must be a whole number, got None"),
        ({"prompt": "To be"}, TypeError, "prompt must be a tensor of whole .* got 'To be'"),
        ({"prompt": torch.ones(1, 2)}, TypeError, "prompt must be a tensor of whole numbers"),
        ({"prompt": torch.ones(0, dtype=torch.long)}, ValueError, r"one position, got \(0,\)"),
        ({"prompt": torch.ones(1, 1, 1, dtype=torch.long)}, ValueError, r"got \(1, 1, 1\)"),
        ({"prompt": torch.tensor([3, 11])}, ValueError, "from 0 to 10, got 3 to 11"),
        ({"prompt": torch.tensor([-1])}, ValueError, "from 0 to 10, got -1 to -1"),
        ({"model": BERT(**TINY)}, TypeError, "model must be a GPT, got BERT"),
    ],
)
def test_wrong_arguments_are_named(model, options, error, message):
    with pytest.raises(error, match=message):
        generate(**{"model": model, "prompt": PROMPT, "max_new_tokens": 2, **options})


def test_a_cache_is_no_place_for_padding(model):
    keep = torch.ones(2, 3)
    with (
        pytest.raises(ValueError, match="attention_mask must be None where there is a cache"),
        attending(model, attention_mask=keep, cache=Cache()),
    ):
        pass


def test_text_and_numbers():
    classes = data.load("shakespeare", context=8).classes
    text = "ROMEO:\nWhat's here?"
    tokens = encode(text, classes)
    assert [classes[n] for n in tokens.tolist()] == list(text)
    assert decode(tokens, classes) == text
    assert encode("", classes).shape == (0,)
    with pytest.raises(ValueError, match=r"characters in classes, got \['0', 'é'\]"):
        encode("é0é", classes)
    with pytest.raises(ValueError, match=r"tokens must be one text, .* got \(1, 19\)"):
        decode(tokens[None], classes)
    with pytest.raises(ValueError, match=r"from 0 to 64, got \[-1, 65\]"):
        decode(torch.tensor([3, 65, -1]), classes)

"""Tiles against the whole image at once."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residual_lib.models import UNet, create_model
from residual_lib.tiles import mirrored, predict_in_tiles


def trained(**options):
    """A net in float64 whose running statistics aren't the initial ones."""
    torch.manual_seed(0)
    model = UNet(2, 3, **{"width": 2, "depth": 2, **options}).double()
    model(torch.randn(4, 2, *(48,) * options.get("dims", 2), dtype=torch.float64))
    return model.eval()


def image(*size):
    return torch.randn(2, 2, *size, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_mirrored_positions_are_numpys(size):
    import numpy as np

    row = np.arange(size)
    expected = np.pad(row, 30, mode="reflect")
    assert mirrored(torch.arange(-30, size + 30), size).tolist() == expected.tolist()


@torch.no_grad()
@pytest.mark.parametrize("tile", [4, 16, 64])
@pytest.mark.parametrize("options", [{}, {"merge": "add"}, {"skips": (0,)}])
def test_without_padding_tiles_are_the_mirrored_whole(options, tile):
    model = trained(padded=False, **options)
    x = image(31, 42)
    # 20 positions are lost on each side, and what is more at the end is for an odd size.
    whole = F.pad(x, (20, 24, 20, 24), mode="reflect")
    expected = model(whole)[:, :, :31, :42]
    found = predict_in_tiles(model, x, tile=tile, progress=False)
    assert found.shape == (2, 3, 31, 42)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize(("depth", "tile"), [(1, 8), (2, 8), (2, 24), (3, 24)])
def test_padded_tiles_are_the_whole_but_for_its_border(depth, tile):
    model = trained(depth=depth)
    edge = model.context + model.alignment
    x = image(2 * edge + 13, 2 * edge + 30)
    found = predict_in_tiles(model, x, tile=tile, progress=False)
    expected = model(x)
    inside = (..., slice(edge, -edge), slice(edge, -edge))
    assert found[inside].shape == (2, 3, 13, 30)
    torch.testing.assert_close(found[inside], expected[inside], rtol=1e-12, atol=1e-12)
    # At the border one of them sees zeros and the other what the image mirrored would show.
    assert not torch.allclose(found, expected)
    # Tiles of another size give the same everywhere.
    other = predict_in_tiles(model, x, tile=5 * model.alignment, progress=False)
    torch.testing.assert_close(found, other, rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_a_tile_needs_all_of_its_context():
    """With less around it than the network says a tile is wrong: the test above can fail."""
    for padded in (True, False):
        model = trained(padded=padded)
        x = image(96, 96)
        expected = predict_in_tiles(model, x, tile=16, progress=False)
        model.context -= model.alignment
        if not padded:
            model.lost -= model.alignment
        assert not torch.allclose(predict_in_tiles(model, x, tile=16, progress=False), expected)


@torch.no_grad()
def test_a_line_and_a_dot():
    model = trained(dims=1, padded=False)
    found = predict_in_tiles(model, image(50), tile=8, progress=False)
    expected = model(F.pad(image(50), (20, 24), mode="reflect"))[..., :50]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert predict_in_tiles(trained(), image(1, 1), tile=4, progress=False).shape == (2, 3, 1, 1)


@torch.no_grad()
def test_the_net_of_2015_on_a_large_image():
    torch.manual_seed(0)
    model = create_model("unet_2015", width=1)
    x = torch.randn(1, 1, 300, 420)
    found = predict_in_tiles(model, x, tile=208, progress=False)
    # The paper's margin, and a size that can be halved four times: 300 + 184 + 8, 420 + 184.
    expected = model(F.pad(x, (92, 104, 92, 112), mode="reflect"))[..., :300, :420]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_no_more_than_a_tile_and_its_surroundings_is_seen_at_once():
    model, seen = trained(), []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape))
    model.train()
    output = predict_in_tiles(model, image(100, 60), tile=32, progress=False)
    assert seen == [(2, 2, 32 + 48, 32 + 48)] * 4 * 2
    assert not output.requires_grad
    assert not model.training


@pytest.mark.parametrize("tile", [0, 6, -4, 8.0, None])
def test_wrong_tiles_are_named(tile):
    with pytest.raises(ValueError, match=rf"tile must be a multiple of 4, got {tile}"):
        predict_in_tiles(trained(), image(8, 8), tile=tile)


def test_norms_over_positions_see_the_tile_only():
    """The limit that the docstring names."""
    model = trained(norm_layer="layer", padded=False)
    x = image(60, 60)
    one, other = (predict_in_tiles(model, x, tile=n, progress=False) for n in (8, 60))
    assert any(isinstance(m, nn.GroupNorm) for m in model.modules())
    assert not torch.allclose(one, other, rtol=1e-3)

"""Shifts and mirror images against every one that there can be."""

import pytest
import torch

from residual_lib.data.augment import crop_and_flip, displace, displacements, elastic


def every(image, pad):
    """All crops of the padded image and of its mirror image, by hand."""
    _, height, width = image.shape
    found = []
    for picture in (image, image.flip(2)):
        padded = torch.zeros(image.shape[0], height + 2 * pad, width + 2 * pad)
        padded[:, pad:-pad, pad:-pad] = picture
        found += [
            padded[:, top : top + height, left : left + width]
            for top in range(2 * pad + 1)
            for left in range(2 * pad + 1)
        ]
    return torch.stack(found)


def test_every_crop_of_every_mirror_image_comes_up_and_no_other():
    image = torch.randn(2, 5, 6)
    generator = torch.Generator().manual_seed(0)
    made = crop_and_flip(image.expand(3000, 2, 5, 6), generator, pad=1)
    assert made.shape == (3000, 2, 5, 6)
    allowed = every(image, 1)
    same = (made[:, None] == allowed).flatten(2).all(2)
    assert (same.sum(1) == 1).all()
    # 3000 draws among 18 that are equally likely: a mean of 167, a deviation of 13
    assert (same.sum(0) > 100).all()
    assert (same.sum(0) < 234).all()


def test_the_channels_of_an_image_move_together_and_images_apart():
    x = torch.arange(64.0).reshape(8, 8).expand(50, 3, 8, 8)
    made = crop_and_flip(x, torch.Generator().manual_seed(1))
    assert (made[:, :1] == made).all()
    assert len(made.unique(dim=0)) > 30


def test_the_same_generator_gives_the_same_images_and_leaves_the_input():
    x = torch.randn(4, 3, 8, 8)
    before = x.clone()
    one = crop_and_flip(x, torch.Generator().manual_seed(5))
    assert torch.equal(one, crop_and_flip(x, torch.Generator().manual_seed(5)))
    assert torch.equal(x, before)
    assert not torch.equal(one, x)


def cubic(distance):
    """Keys's cubic convolution with a = -0.75, which PyTorch's bicubic interpolation uses."""
    d, a = abs(distance), -0.75
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def interpolated(coarse, size):
    """Bicubic interpolation by hand, the outermost points in the corners and repeated beyond."""
    grid = coarse.shape[-1]
    rows = [
        [
            sum(
                cubic(at - point)
                for point in range(-3, grid + 3)
                if min(max(point, 0), grid - 1) == p
            )
            for p in range(grid)
        ]
        for at in (i * (grid - 1) / (size - 1) for i in range(size))
    ]
    weights = torch.tensor(rows, dtype=coarse.dtype)
    return weights @ coarse @ weights.T


def test_displacements_are_bicubic_between_normal_draws():
    generator = torch.Generator().manual_seed(0)
    field = displacements(2, (17, 17), generator, sigma=10)
    coarse = 10 * torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(field[:, :, ::8, ::8], coarse)
    torch.testing.assert_close(field, interpolated(coarse, 17), rtol=1e-4, atol=1e-4)
    many = displacements(2000, (9, 9), generator, grid=5, sigma=3)[:, :, ::2, ::2]
    # 100,000 draws: the deviation is known to 0.7 percent with 3 standard errors
    assert many.std().item() == pytest.approx(3, rel=0.007)
    assert many.mean().item() == pytest.approx(0, abs=0.03)


def test_displaced_pixels_come_from_where_the_field_says():
    x = torch.randn(1, 2, 9, 11)
    labels = torch.randint(0, 5, (1, 9, 11))
    field = torch.zeros(1, 2, 9, 11)
    torch.testing.assert_close(displace(x, field), x)
    assert torch.equal(displace(labels, field), labels)
    field[:, 0], field[:, 1] = 2, -3
    torch.testing.assert_close(displace(x, field)[:, :, :7, 3:], x[:, :, 2:, :-3])
    assert torch.equal(displace(labels, field)[:, :7, 3:], labels[:, 2:, :-3])
    # Beyond the border the image is mirrored: row 9 is row 7, column -1 is column 1.
    torch.testing.assert_close(displace(x, field)[:, :, 7, 3:], x[:, :, 7, :-3])
    torch.testing.assert_close(displace(x, field)[:, :, :7, 2], x[:, :, 2:, 1])
    field[:, 0], field[:, 1] = 0.25, 0
    between = 0.75 * x[:, :, :-1] + 0.25 * x[:, :, 1:]
    torch.testing.assert_close(displace(x, field)[:, :, :-1], between)
    assert torch.equal(displace(labels, field), labels)


def test_elastic_bends_images_and_labels_alike():
    rows, columns = torch.meshgrid(torch.arange(40), torch.arange(48), indexing="ij")
    disc = ((rows - 20) ** 2 + (columns - 24) ** 2 < 100).long().expand(4, 40, 48)
    generator = torch.Generator().manual_seed(0)
    x, y = elastic(disc[:, None].float(), disc, generator, sigma=4)
    assert (y.dtype, y.shape, x.shape) == (torch.int64, (4, 40, 48), (4, 1, 40, 48))
    assert set(y.unique().tolist()) == {0, 1}
    # The nearest label and the rounded mixture differ in a few pixels of the edge at most.
    assert ((x[:, 0] > 0.5) != y.bool()).float().mean() < 0.01
    assert len(y.unique(dim=0)) == 4
    assert (y != disc).float().mean() > 0.02
    again = elastic(disc[:, None].float(), disc, torch.Generator().manual_seed(0), sigma=4)
    assert torch.equal(again[0], x)
    assert torch.equal(again[1], y)
    still = elastic(disc[:, None].float(), disc, generator, sigma=0)
    torch.testing.assert_close(still[0][:, 0], disc.float(), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"grid": 1}, "grid must be .* got 1"), ({"sigma": -1}, "sigma must be .* got -1")],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        displacements(1, (8, 8), torch.Generator(), **options)

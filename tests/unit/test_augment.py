"""Shifts and mirror images against every one that there can be."""

import torch

from residual_lib.data.augment import crop_and_flip


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

"""Sequences like speech: bands of energy that move, a label for each frame, made by a program."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from residual_lib.data.base import Data, Source, check_number

Floats = NDArray[np.float64]

#: What the classes are called: silence, two hisses, four steady vowels, and three that move.
CLASSES = ("sil", "s", "f", "i", "a", "u", "e", "ai", "ia", "au")
# Two formants of each vowel at its start and at its end, as parts of the range of the bands. 'ai'
# and 'ia' pass the same places, in opposite directions.
_FORMANTS = {
    "i": ((0.15, 0.75), (0.15, 0.75)),
    "a": ((0.42, 0.55), (0.42, 0.55)),
    "u": ((0.17, 0.33), (0.17, 0.33)),
    "e": ((0.28, 0.67), (0.28, 0.67)),
    "ai": ((0.42, 0.55), (0.15, 0.75)),
    "ia": ((0.15, 0.75), (0.42, 0.55)),
    "au": ((0.42, 0.55), (0.17, 0.33)),
}
# Hisses: the lowest part of the range that they fill, and how loud they are.
_HISSES = {"s": (0.7, 1.0), "f": (0.35, 0.6)}
_WIDTH = 0.05  # of a formant, as a part of the range
_LENGTHS = (4, 12)  # frames of a sound, least and greatest


def load(
    *,
    train_sequences: int = 400,
    test_sequences: int = 100,
    frames: int = 48,
    bands: int = 20,
    noise: float = 0.3,
    speaker: float = 0.15,
    seed: int = 0,
) -> Data:
    """Make sequences of sounds, each frame with its label.

    A sequence has one speaker, whose formants are all higher or lower than another's, by one
    factor, and whose loudness and tilt are their own. Where two sounds meet, the formants glide
    from the one's to the other's. So a single frame doesn't say which sound it is: its neighbours
    tell which way the formants move, and the whole sequence tells who speaks.

    Args:
        train_sequences, test_sequences: how many, each with a speaker of its own.
        frames: of each sequence.
        bands: energies of each frame.
        noise: standard deviation of the noise in each of them, where a formant's height is 1.
        speaker: a speaker multiplies all formants by a factor between 1 less so much and 1 more.
        seed: of all that is random. The same seed gives the same tensors.

    Returns:
        `Data` with x ``(N, bands, frames)`` float32, by the mean and standard deviation of the
        training part, and y ``(N, frames)`` int64, class numbers of `CLASSES`.

    Raises:
        TypeError, ValueError: an argument is of the wrong type or out of range.
    """
    check_number("train_sequences", train_sequences, 1, integer=True)
    check_number("test_sequences", test_sequences, 1, integer=True)
    check_number("frames", frames, 1, integer=True)
    check_number("bands", bands, 4, integer=True)
    check_number("noise", noise, 0)
    check_number("speaker", speaker, 0, 0.3)
    check_number("seed", seed, 0, 2**32 - 1, integer=True)

    def make(part: int, count: int) -> tuple[Floats, NDArray[np.int64]]:
        generator = np.random.default_rng([seed, part])
        made = [_sequence(frames, bands, noise, speaker, generator) for _ in range(count)]
        return np.stack([x for x, _ in made]), np.stack([y for _, y in made])

    (x_train, y_train), (x_test, y_test) = make(0, train_sequences), make(1, test_sequences)
    mean, std = x_train.mean(), x_train.std()
    return Data(
        x_train=torch.tensor((x_train - mean) / std, dtype=torch.float32),
        y_train=torch.tensor(y_train),
        x_test=torch.tensor((x_test - mean) / std, dtype=torch.float32),
        y_test=torch.tensor(y_test),
        name="speechlike",
        num_classes=len(CLASSES),
        task="framewise",
        classes=CLASSES,
    )


def _sequence(
    frames: int, bands: int, noise: float, speaker: float, generator: np.random.Generator
) -> tuple[Floats, NDArray[np.int64]]:
    """One speaker's sequence: energies ``(bands, frames)`` and labels ``(frames,)``."""
    labels, tracks, voiced, hiss = _score(frames, generator)
    factor = 1 + speaker * generator.uniform(-1, 1)
    places = np.linspace(0, 1, bands)[:, None]
    energy = np.zeros((bands, frames))
    for track, height in zip(tracks, (1.0, 0.8), strict=True):
        energy += voiced * height * np.exp(-(((places - factor * track) / _WIDTH) ** 2) / 2)
    for (low, loudness), where in zip(_HISSES.values(), hiss, strict=True):
        energy += where * loudness * (places > low)
    tilt, loudness = generator.uniform(-0.3, 0.3), generator.uniform(0.7, 1.3)
    energy = loudness * energy + tilt * (places - 0.5)
    # Drawn last, so that the same sounds come with any noise.
    return energy + noise * generator.standard_normal((bands, frames)), labels


def _score(
    frames: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Labels ``(frames,)``, formants ``(2, frames)``, and how much voice and which hiss there is.

    Formants run on through silences and hisses, towards those of the next vowel.
    """
    sounds: list[tuple[str, int, int]] = []
    end = 0
    while end < frames:
        others = [name for name in CLASSES if not sounds or name != sounds[-1][0]]
        start, end = end, end + int(generator.integers(_LENGTHS[0], _LENGTHS[1] + 1))
        sounds.append((str(generator.choice(others)), start, end))
    total = sounds[-1][2]
    labels = np.zeros(total, dtype=np.int64)
    voiced, hiss = np.zeros(total), np.zeros((len(_HISSES), total))
    when, where = [], []
    for name, start, end in sounds:
        labels[start:end] = CLASSES.index(name)
        if name in _FORMANTS:
            voiced[start:end] = 1
            # A frame at each side is left to the glide.
            when += [start + 1, end - 2]
            where += list(_FORMANTS[name])
        elif name in _HISSES:
            hiss[list(_HISSES).index(name), start:end] = 1
    if not when:  # a short sequence may have no vowel
        when, where = [0], [_FORMANTS["a"][0]]
    places = np.array(where).T
    tracks = np.stack([np.interp(np.arange(total), when, place) for place in places])
    # Neither voice nor hiss begins at once.
    soft = np.array([0.25, 0.5, 0.25])
    voiced = np.convolve(voiced, soft, mode="same")
    hiss = np.stack([np.convolve(one, soft, mode="same") for one in hiss])
    return labels[:frames], tracks[:, :frames], voiced[:frames], hiss[:, :frames]


SOURCE = Source(
    load=load,
    title="Sequences like speech",
    origin=(
        "Made on your machine by residual_lib: sounds of 4 to 12 frames, drawn evenly, no two "
        "alike in a row; vowels have two formants, steady or moving, hisses fill the upper bands. "
        "One speaker a sequence shifts the formants; between sounds they glide; normal noise in "
        "each band"
    ),
    licence="MIT, as all of residual_lib",
    normalisation="one mean and one standard deviation, of all bands of the training part",
    limits=(
        "No voice: ten sounds, two formants, no pitch, no words, and every speaker's vowels differ "
        "by one factor alone. Labels are known to the frame, where those of real speech are not. "
        "What is found here is about models, and not about recognising speech"
    ),
)

# hint: Logits are products
import numpy as np


def lens(stream, embeddings):
    centred = stream - stream.mean(axis=1, keepdims=True)
    normalised = centred / centred.std(axis=1, keepdims=True)
    return np.linalg.norm(normalised[:, None] - embeddings, axis=2).argmin(axis=1)

# hint: if any of its crops is
import numpy as np


def error(probabilities, labels, k):
    best = np.argsort(-np.asarray(probabilities), axis=2)[:, :, :k]
    right = (best == np.asarray(labels)[:, None, None]).any(axis=(1, 2))
    return 1 - right.mean()

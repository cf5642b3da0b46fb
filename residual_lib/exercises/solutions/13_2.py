import numpy as np


def error(probabilities, labels, k):
    mean = np.asarray(probabilities).mean(axis=1)
    best = np.argsort(-mean, axis=1)[:, :k]
    right = (best == np.asarray(labels)[:, None]).any(axis=1)
    return 1 - right.mean()

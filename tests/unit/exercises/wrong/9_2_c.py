# hint: square root of d
import numpy as np


def attention(query, key, value):
    scores = np.exp(np.tril(query @ key.T)) * np.tril(np.ones((len(query), len(query))))
    return scores / scores.sum(axis=1, keepdims=True) @ value

# hint: the first must read itself
import numpy as np


def attention(query, key, value):
    scores = np.exp(query @ key.T / np.sqrt(query.shape[1]))
    return scores / scores.sum(axis=1, keepdims=True) @ value

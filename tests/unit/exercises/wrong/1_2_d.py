# hint: changed its argument w
import numpy as np


def gradients(w, x):
    hidden = [x]
    for weight in w:
        hidden.append(np.tanh(weight * hidden[-1]))
    w *= 1 - np.array(hidden[1:]) ** 2
    return np.cumprod(w[::-1])[::-1]

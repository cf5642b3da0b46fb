# hint: opposite order
import numpy as np


def gradients(w, x):
    hidden = [x]
    for weight in w:
        hidden.append(np.tanh(weight * hidden[-1]))
    result, gradient = [], 1.0
    for weight, h in zip(reversed(w), reversed(hidden[1:]), strict=True):
        gradient *= weight * (1 - h**2)
        result.append(gradient)
    return np.array(result)

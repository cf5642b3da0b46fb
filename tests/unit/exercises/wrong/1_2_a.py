# hint: The factor w[k] is missing
import numpy as np


def gradients(w, x):
    hidden = [x]
    for weight in w:
        hidden.append(np.tanh(weight * hidden[-1]))
    result, gradient = [], 1.0
    for h in reversed(hidden[1:]):
        gradient *= 1 - h**2
        result.insert(0, gradient)
    return np.array(result)

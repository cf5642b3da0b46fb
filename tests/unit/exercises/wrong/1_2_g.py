# hint: at the output of each layer
import numpy as np


def gradients(w, x):
    hidden = [x]
    for weight in w:
        hidden.append(np.tanh(weight * hidden[-1]))
    result, gradient = [], 1.0
    for k in reversed(range(len(w))):
        result.insert(0, gradient)
        gradient *= w[k] * (1 - hidden[k + 1] ** 2)
    return np.array(result)

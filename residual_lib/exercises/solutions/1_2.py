import numpy as np


def gradients(w, x):
    hidden = [x]
    for weight in w:
        hidden.append(np.tanh(weight * hidden[-1]))

    result = np.empty(len(w))
    gradient = 1.0  # dy/dy
    for k in reversed(range(len(w))):
        # d tanh(z)/dz = 1 - tanh(z)^2, and tanh(z) is what the layer gave: h_{k+1}.
        gradient = gradient * w[k] * (1 - hidden[k + 1] ** 2)
        result[k] = gradient
    return result

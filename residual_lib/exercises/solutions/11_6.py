import numpy as np


def depths(survival):
    chances = np.ones(1)
    for p in survival:
        chances = np.append(chances, 0) * (1 - p) + np.append(0, chances) * p
    return chances


def smallest_rate(blocks, most):
    for hundredths in range(100):
        rate = hundredths / 100
        survival = [1 - rate * block / max(1, blocks - 1) for block in range(blocks)]
        if depths(survival)[: most + 1].sum() >= 0.99:
            return rate
    raise ValueError("no rate is large enough")

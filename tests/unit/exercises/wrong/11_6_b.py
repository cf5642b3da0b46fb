# hint: enough for half of the steps
import numpy as np


def smallest_rate(blocks, most):
    for hundredths in range(100):
        rate = hundredths / 100
        chances = np.ones(1)
        for block in range(blocks):
            p = 1 - rate * block / max(1, blocks - 1)
            chances = np.append(chances, 0) * (1 - p) + np.append(0, chances) * p
        if chances[: most + 1].sum() >= 0.5:
            return rate
    raise ValueError("no rate is large enough")

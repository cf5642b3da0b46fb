# hint: the branches that are dropped
import numpy as np


def depths(survival):
    chances = np.ones(1)
    for p in survival:
        chances = np.append(chances, 0) * p + np.append(0, chances) * (1 - p)
    return chances

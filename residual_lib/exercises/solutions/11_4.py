import numpy as np


def depths(survival):
    chances = np.ones(1)  # of no block: 0 branches, for certain
    for p in survival:
        stays = np.append(chances, 0) * (1 - p)
        moves = np.append(0, chances) * p
        chances = stays + moves
    return chances

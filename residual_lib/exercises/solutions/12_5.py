import numpy as np


def explained(gates, labels):
    within = 0
    for label in np.unique(labels):
        own = gates[labels == label]
        within += ((own - own.mean(axis=0)) ** 2).sum()
    return 1 - within / ((gates - gates.mean(axis=0)) ** 2).sum()

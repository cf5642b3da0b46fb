# hint: the mean of each channel by itself
import numpy as np


def explained(gates, labels):
    within = sum(
        ((gates[labels == k] - gates[labels == k].mean(0)) ** 2).sum() for k in np.unique(labels)
    )
    return 1 - within / ((gates - gates.mean()) ** 2).sum()

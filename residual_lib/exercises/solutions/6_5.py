import numpy as np


def autocorrelation(values, lag):
    centred = values - np.mean(values)
    return (centred[:-lag] * centred[lag:]).sum() / (centred**2).sum()

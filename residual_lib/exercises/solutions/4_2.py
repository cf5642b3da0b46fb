import numpy as np


def option_a(x, out_chans):
    kept = x[:, :, ::2, ::2]
    zeros = np.zeros((kept.shape[0], out_chans - kept.shape[1], *kept.shape[2:]))
    return np.concatenate([kept, zeros], axis=1)

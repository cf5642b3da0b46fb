# hint: takes the mean of four pixels
import numpy as np


def option_a(x, out_chans):
    batch, channels, height, width = x.shape
    mean = x.reshape(batch, channels, height // 2, 2, width // 2, 2).mean(axis=(3, 5))
    return np.pad(mean, ((0, 0), (0, out_chans - channels), (0, 0), (0, 0)))

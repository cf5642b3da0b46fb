# hint: which is the middle tap
import numpy as np


def together(dense, pointwise, identity):
    return dense + (pointwise + np.diag(identity))[:, :, None]

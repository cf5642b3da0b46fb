import numpy as np


def iou(predicted, truth):
    union = np.sum(predicted | truth)
    return float(np.sum(predicted & truth) / union) if union else 1.0

# hint: That is the recall
def iou(predicted, truth):
    return (predicted & truth).sum() / truth.sum() if truth.any() else 1.0

# hint: That is Dice
def iou(predicted, truth):
    total = predicted.sum() + truth.sum()
    return 2 * (predicted & truth).sum() / total if total else 1.0

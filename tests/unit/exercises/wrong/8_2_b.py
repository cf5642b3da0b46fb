# hint: count in neither
def iou(predicted, truth):
    return (predicted == truth).mean()

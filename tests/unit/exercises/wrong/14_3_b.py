# hint: The frozen weight is the shortcut
def merged(W, B, A, alpha):
    return alpha / len(A) * B @ A

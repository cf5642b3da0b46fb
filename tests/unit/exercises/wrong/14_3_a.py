# hint: divided by the rank
def merged(W, B, A, alpha):
    return W + alpha * B @ A

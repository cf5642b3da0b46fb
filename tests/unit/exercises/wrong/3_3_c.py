# hint: closes both ways


def backward(x, w1, w2, dy):
    a = x @ w1.T
    return dy + ((dy @ w2) * (a > 0)) @ w1

# hint: the identity has 1 on its diagonal alone
def absorbed(weights):
    return [1 + v for v in weights]

# hint: A factor of 1 is the identity
def factor(block):
    return 1.0

# hint: a constant, however near to 1
def factor(block):
    return 0.999

# hint: number of outputs
def seen(size, kernel, stride):
    return len(range(0, size, stride))

# hint: count each
def seen(size, kernel, stride):
    return kernel * len(range(0, size, stride))

# hint: there are gaps
def seen(size, kernel, stride):
    return size

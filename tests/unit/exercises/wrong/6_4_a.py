# hint: The shortcut adds 1 to the mean square
def correlation(kind, blocks):
    return 0.5**blocks

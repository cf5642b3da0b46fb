# hint: The transitions between the blocks keep half
def head_channels(growth, links):
    return 2 * growth + growth * sum(links)

# hint: No transition follows the last block
def head_channels(growth, links):
    channels = 2 * growth
    for count in links:
        channels = (channels + growth * count) // 2
    return channels

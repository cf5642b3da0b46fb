def head_channels(growth, links):
    channels = 2 * growth
    for number, count in enumerate(links, start=1):
        channels += growth * count
        if number < len(links):
            channels //= 2
    return channels

# hint: one kernel of its own
def mbconv(channels, expansion, kernel):
    inner = channels * expansion
    squeezed = max(1, channels // 4)
    convolutions = 2 * channels * inner + kernel * kernel * inner * inner
    return convolutions + 2 * (2 * inner + channels) + (2 * inner + 1) * squeezed + inner

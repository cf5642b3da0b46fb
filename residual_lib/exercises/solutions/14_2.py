def mbconv(channels, expansion, kernel):
    inner = channels * expansion
    squeezed = max(1, channels // 4)
    convolutions = channels * inner + kernel * kernel * inner + inner * channels
    norms = 2 * (inner + inner + channels)
    gate = (inner + 1) * squeezed + (squeezed + 1) * inner
    return convolutions + norms + gate

# hint: Three norms follow
def mbconv(channels, expansion, kernel):
    inner = channels * expansion
    squeezed = max(1, channels // 4)
    return 2 * channels * inner + kernel**2 * inner + (2 * inner + 1) * squeezed + inner

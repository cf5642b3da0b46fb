# hint: the probability that a branch is kept
def dropped(f, draws, rate):
    return f * (draws >= rate)[:, None] / rate

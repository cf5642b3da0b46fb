# hint: Nothing in evaluation puts that right
def dropped(f, draws, rate):
    return f * (draws >= rate)[:, None]

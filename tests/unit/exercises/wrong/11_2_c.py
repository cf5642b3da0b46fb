# hint: you keep it
def dropped(f, draws, rate):
    return f * (draws < rate)[:, None] / (1 - rate)

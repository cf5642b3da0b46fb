# hint: so that lag 0 gives 1
def autocorrelation(values, lag):
    centred = values - values.mean()
    return (centred[:-lag] * centred[lag:]).sum()

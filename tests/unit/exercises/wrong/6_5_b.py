# hint: ratio of the sums
def autocorrelation(values, lag):
    centred = values - values.mean()
    return (centred[:-lag] * centred[lag:]).mean() / centred.var()

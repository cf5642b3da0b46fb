# hint: any large mean looks like
def autocorrelation(values, lag):
    return (values[:-lag] * values[lag:]).sum() / (values**2).sum()

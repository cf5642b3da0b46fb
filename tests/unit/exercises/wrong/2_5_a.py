# hint: compares the means
def first_apart(depths, plain, residual):
    apart = residual.mean(axis=1) < plain.mean(axis=1)
    return int(depths[apart].min()) if apart.any() else 0

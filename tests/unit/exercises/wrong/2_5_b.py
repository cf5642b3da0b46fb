# hint: compares seeds in pairs
def first_apart(depths, plain, residual):
    apart = (residual < plain).all(axis=1)
    return int(depths[apart].min()) if apart.any() else 0

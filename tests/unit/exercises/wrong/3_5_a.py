# hint: not past it
def pulled(wanted, decay, skip):
    needed = wanted - 1 if skip else wanted
    branch = (abs(needed) - decay) * (1 if needed >= 0 else -1)
    return branch + 1 if skip else branch

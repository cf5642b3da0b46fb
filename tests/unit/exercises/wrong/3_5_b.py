# hint: it is the branch that decays
def pulled(wanted, decay, skip):
    return max(abs(wanted) - decay, 0) * (1 if wanted > 0 else -1)

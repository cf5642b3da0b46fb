# hint: the answer for one weight
def pulled(wanted, decay, skip):
    return skip + (wanted - skip) / (1 + decay)

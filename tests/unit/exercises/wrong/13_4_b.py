# hint: The sign
def gaps(rows, one, other):
    found = {(net, p): e for net, p, e in rows}
    return {p: found[other, p] - e for net, p, e in rows if net == one and (other, p) in found}

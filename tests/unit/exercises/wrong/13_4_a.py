# hint: whatever protocol it has
def gaps(rows, one, other):
    best = {n: min(e for net, _, e in rows if net == n) for n in (one, other)}
    protocols = [{p for net, p, _ in rows if net == n} for n in (one, other)]
    return dict.fromkeys(protocols[0] & protocols[1], best[one] - best[other])

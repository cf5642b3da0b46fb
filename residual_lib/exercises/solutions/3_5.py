def pulled(wanted, decay, skip):
    # Decay acts on the branch. For a given product u v the least u^2 + v^2 is 2 |u v|, so the
    # branch's slope b minimises (b - needed)^2 + 2 decay |b|: it moves towards 0 by decay.
    needed = wanted - 1 if skip else wanted
    branch = max(abs(needed) - decay, 0) * (1 if needed > 0 else -1)
    return branch + 1 if skip else branch

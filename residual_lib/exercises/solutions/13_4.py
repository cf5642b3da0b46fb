def gaps(rows, one, other):
    found = {one: {}, other: {}}
    for network, protocol, error in rows:
        if network in found:
            found[network][protocol] = error
    both = found[one].keys() & found[other].keys()
    return {protocol: found[one][protocol] - found[other][protocol] for protocol in both}

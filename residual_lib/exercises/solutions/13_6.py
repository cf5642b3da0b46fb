def front(networks):
    def dominated(cost, error):
        return any(c <= cost and e <= error and (c, e) != (cost, error) for c, e in networks)

    return [number for number, network in enumerate(networks) if not dominated(*network)]

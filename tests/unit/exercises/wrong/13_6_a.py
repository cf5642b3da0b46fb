# hint: in the order of the list
def front(networks):
    best, found = float("inf"), []
    for number, (_, error) in enumerate(networks):
        if error < best:
            best = error
            found.append(number)
    return found

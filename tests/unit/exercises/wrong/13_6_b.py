# hint: and so are cheaper ones
def front(networks):
    errors = [error for _, error in networks]
    return [errors.index(min(errors))]

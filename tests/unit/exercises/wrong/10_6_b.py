# hint: alpha has a gradient at 0
def first_steps(weight, target, rate, steps):
    return 0.0, weight

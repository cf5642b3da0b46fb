def first_steps(weight, target, rate, steps):
    alpha, w = 0.0, weight
    for _ in range(steps):
        error = 1 + alpha * w - target
        alpha, w = alpha - rate * error * w, w - rate * error * alpha
    return alpha, w

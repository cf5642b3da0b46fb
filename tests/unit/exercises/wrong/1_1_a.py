# hint: multiplied, not added
steepest = 0.25
bound = 10 * steepest

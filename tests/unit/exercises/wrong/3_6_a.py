# hint: multiplied 50 times
bias = -2.0

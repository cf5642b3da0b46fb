# hint: the branches hardly learn
bias = -10.0

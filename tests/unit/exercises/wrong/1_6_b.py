# hint: the gradient explodes
gain = 2**0.5

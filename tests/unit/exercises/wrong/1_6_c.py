# hint: expected one number
gain = [1.0, 1.2]

# hint: alpha squared
plain_sum = 2**16
by_depth = 1.25**16
rezero = 1

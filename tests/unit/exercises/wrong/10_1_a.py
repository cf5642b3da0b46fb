# hint: adds a term a block
plain_sum = 17
by_depth = 2
rezero = 1

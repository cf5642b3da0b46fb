# hint: choice of the two blocks
paths = 8
of_length_two = 2
left = 0.5

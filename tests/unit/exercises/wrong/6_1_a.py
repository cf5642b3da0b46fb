# hint: multiply: 2 x 2 x 2
paths = 6
of_length_two = 3
left = 0.5

# hint: behind the two convolutions
at_the_bottom = 28
output = 388
lost = 92

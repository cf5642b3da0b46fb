# hint: on both sides together
at_the_bottom = 32
output = 388
lost = 184

# hint: 0.5 is the value of the sigmoid at 0
steepest = 0.5
bound = steepest**10

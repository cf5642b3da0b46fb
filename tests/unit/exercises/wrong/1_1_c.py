# hint: the sigmoid is flatter
steepest = 1
bound = 1

# hint: one factor for each
steepest = 1 / 4
bound = 1 / 4

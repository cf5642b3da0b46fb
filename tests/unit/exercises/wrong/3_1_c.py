# hint: has a bias unless it is told otherwise
total = 74112
idle = 0

# hint: comes after the mean has been taken away
total = 74112
idle = 256

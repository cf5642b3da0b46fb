# hint: Of the paths those that took the shortcut
paths = 8
of_length_two = 3
left = 2 / 3

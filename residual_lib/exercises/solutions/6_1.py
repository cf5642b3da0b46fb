# At each block branch or shortcut: 2 * 2 * 2.
paths = 8

# Which two of the three blocks: 3 choices.
of_length_two = 3

# The paths that took the shortcut there, which is half of them.
left = 0.5

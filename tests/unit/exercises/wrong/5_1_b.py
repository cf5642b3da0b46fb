# hint: take a root
left = 0.9**54
factor = 1 - 0.5 / 54

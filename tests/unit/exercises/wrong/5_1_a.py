# hint: 0.5**54 is what a factor of a half leaves
left = 0.9**54
factor = 0.5**54

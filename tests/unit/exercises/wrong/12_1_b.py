# hint: Each image has gates of its own
parameters = 2 * 512 * 32 + 32 + 512
gates = 512

# 572 - 4 = 568, halved 284, 280, 140, 136, 68, 64, halved 32.
at_the_bottom = 32

# 28, doubled 56, 52, 104, 100, 200, 196, 392, 388.
output = 388

# Half of 572 - 388.
lost = 92

# hint: can't write over its input
plain = 4
residual = 8
in_place = 8

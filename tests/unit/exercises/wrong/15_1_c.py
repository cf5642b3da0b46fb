# hint: it isn't there twice
plain = 8
residual = 16
in_place = 12

# hint: Before the sum the second convolution
plain = 8
residual = 12
in_place = 8

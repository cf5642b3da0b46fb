# hint: four residual blocks in a row
b0, conformer, impala = 9, 16, 6

# hint: the pooling of a stage have no skip
b0, conformer, impala = 9, 64, 9

# hint: MBConv has no skip at all
b0, conformer, impala = 16, 64, 6

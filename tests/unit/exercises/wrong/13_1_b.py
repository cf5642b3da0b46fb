# hint: the gaps to ResNet-34
famous = 9.0 - 5.71
alike = 7.1 - 5.71

# hint: the gap at 10 crops
famous = 4.51
alike = 9.33 - 5.71

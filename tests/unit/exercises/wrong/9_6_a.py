# hint: Here its logarithm is multiplied
import math


def layers_until(start, limit, power):
    return math.ceil(math.log(limit) / math.log(start))

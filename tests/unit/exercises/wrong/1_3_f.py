# hint: expected a mean of 0
import torch


def relu_weights(fan_in, fan_out):
    std = (2 / fan_in) ** 0.5
    return std * 12**0.5 * torch.rand(fan_out, fan_in)

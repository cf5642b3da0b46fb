# hint: 2/fan_in is the variance
import torch


def relu_weights(fan_in, fan_out):
    return 2 / fan_in * torch.randn(fan_out, fan_in)

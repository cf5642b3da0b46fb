# hint: the ReLU after it lets half through
import torch


def relu_weights(fan_in, fan_out):
    return torch.randn(fan_out, fan_in) / fan_in**0.5

# hint: sums over fan_in terms
import torch


def relu_weights(fan_in, fan_out):
    return (2 / fan_out) ** 0.5 * torch.randn(fan_out, fan_in)

# hint: made for tanh near 0
import torch


def relu_weights(fan_in, fan_out):
    return torch.nn.init.xavier_normal_(torch.empty(fan_out, fan_in))

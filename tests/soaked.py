"""Models of a watched repository for soaks: one that leaks 1 KiB an iteration, one that keeps nothing."""

MODELS = """
import ctypes
import time
import torch
from torch import nn

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
KEPT = []

class Net(nn.Module):
    def __init__(self, leak):
        super().__init__()
        self.layer = nn.Linear(16, 4)
        self.leak = leak

    def forward(self, x):
        self.leak()
        return self.layer(x)

def leaky():
    return Net(lambda: libc.malloc(ctypes.c_size_t(1024))), (torch.zeros(1, 16),)

def sound():
    return Net(lambda: None), (torch.zeros(1, 16),)
"""

"""A model that leaks: what stands in the watched repository."""

LEAKY = """
import ctypes
import torch
from torch import nn

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
KEPT = []

class Leaky(nn.Module):
    def __init__(self, leak):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
        self.leak = leak

    def forward(self, x):
        self.leak(x)
        return self.layers(x)

def model(leak):
    return Leaky(leak), (torch.ones(1, 64),)

def python_bytes():
    return model(lambda x: KEPT.append(bytearray(1024)))

def native():
    return model(lambda x: libc.malloc(ctypes.c_size_t(1024)))

def small_objects():
    return model(lambda x: KEPT.extend([{"n": len(KEPT)}, (len(KEPT), "a")]))

def many_containers():
    return model(lambda x: KEPT.extend([[]] for _ in range(5)))

def gpu_tensors():
    return model(lambda x: KEPT.append(torch.zeros(2**16, dtype=torch.uint8, device=x.device)))

def cycles():
    def leak(x):
        garbage = [bytearray(1024)]
        garbage.append(garbage)
    return model(leak)

def bounded():
    def leak(x):
        KEPT.append(bytearray(64 * 1024))
        del KEPT[:-50]
    return model(leak)

def breaks_later():
    calls = []
    def leak(x):
        calls.append(None)
        if len(calls) > 3000:
            raise RuntimeError("the index of the vocabulary ran out")
    return model(leak)

def killed_soon():
    # each iteration is a reading of its own, and twelve of them are too few for a verdict
    import os, signal, time
    def leak(x):
        KEPT.append(bytearray(b"x" * 2**20))
        time.sleep(0.03)
        if len(KEPT) > 12:
            os.kill(os.getpid(), signal.SIGKILL)
    return model(leak)

def killed_later():
    import os, signal
    calls = []
    def leak(x):
        calls.append(None)
        if len(calls) > 3000:
            os.kill(os.getpid(), signal.SIGKILL)
    return model(leak)
"""

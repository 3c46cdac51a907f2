"""A stand-in of TensorRT: multiplies its input by a weight, with torch, where and when it is told to."""

from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

VERSION = (10, 16, 1, 11)
WIDTH, LARGEST = 8, 4
BATCHES = (1, 2, LARGEST)  # of the engine's profiles
REFUSAL = "not compatible, expecting library version 10.16.1.11 got 10.16.1.12, please rebuild."


def view(pointer: int, shape: tuple[int, ...]):
    """A float32 tensor over device memory that somebody else holds (the CUDA array interface)."""
    facts = {"data": (pointer, False), "shape": shape, "typestr": "<f4", "version": 3}
    return torch.as_tensor(SimpleNamespace(__cuda_array_interface__=facts), device="cuda")


class Library:
    """As much of the module as the adapter uses; `calls` and `freed` tell what happened, in order."""

    __version__ = ".".join(map(str, VERSION))
    TensorIOMode = SimpleNamespace(INPUT=0, OUTPUT=1)
    LayerInformationFormat = SimpleNamespace(JSON=1)
    ExecutionContextAllocationStrategy = SimpleNamespace(ON_PROFILE_CHANGE=1)

    class ILogger:
        pass

    class IProfiler:
        pass

    def __init__(self):
        self.calls, self.freed, self.profiles = [], [], []
        self.refittable, self.capturable, self.refusing = True, True, False
        self.Runtime = lambda logger: Runtime(self, logger)
        self.Refitter = lambda engine, logger: Refitter(self, engine)
        self.OnnxParserRefitter = lambda refitter, logger: RefitParser(refitter)


class Runtime:
    def __init__(self, library, logger):
        self.library, self.logger = library, logger

    def deserialize_cuda_engine(self, plan):
        if self.library.refusing:
            self.logger.log(1, REFUSAL)
            return None
        return Engine(self.library, float(plan[-1]))

    def __del__(self):
        self.library.freed.append("runtime")


class Engine:
    num_io_tensors, num_layers, num_optimization_profiles = 2, 1, len(BATCHES)

    def __init__(self, library, weight):
        self.library, self.weight = library, torch.full((1,), weight, device="cuda")
        self.refittable = library.refittable

    def get_tensor_name(self, position):
        return "xy"[position]

    def get_tensor_mode(self, name):
        return "xy".index(name)

    def get_tensor_dtype(self, name):
        return SimpleNamespace(name="FLOAT")

    def get_tensor_shape(self, name):
        return (-1, WIDTH)

    def get_tensor_profile_shape(self, name, profile):
        return [(1, WIDTH), (BATCHES[profile], WIDTH), (BATCHES[profile], WIDTH)]

    def get_device_memory_size_for_profile_v2(self, profile):
        return 4096 * BATCHES[profile]

    def create_execution_context(self, strategy):
        assert strategy == self.library.ExecutionContextAllocationStrategy.ON_PROFILE_CHANGE
        self.library.calls.append("context")
        return Context(self.library, self.weight)

    def create_engine_inspector(self):
        return SimpleNamespace(get_engine_information=lambda form: '{"Layers": ["mul"]}')

    def __del__(self):
        self.library.freed.append("engine")


class Context:
    profiler = None

    def __init__(self, library, weight):
        self.library, self.weight, self.shape, self.at = library, weight, None, {}
        self.active_optimization_profile = 0

    def set_optimization_profile_async(self, profile, handle):
        self.active_optimization_profile, self.shape = profile, None
        self.library.profiles.append(profile)
        return True

    def set_input_shape(self, name, shape):
        self.shape = shape
        return shape[0] <= BATCHES[self.active_optimization_profile]

    def get_tensor_shape(self, name):
        return self.shape

    def infer_shapes(self):
        return []

    def set_tensor_address(self, name, pointer):
        self.at[name] = view(pointer, self.shape)

    def execute_async_v3(self, handle):
        stream = torch.cuda.ExternalStream(handle)
        with torch.cuda.stream(stream):
            capturing = torch.cuda.is_current_stream_capturing()
            self.library.calls.append("recorded" if capturing else "executed")
            if capturing and not self.library.capturable:
                return False
            torch.mul(self.at["x"], self.weight, out=self.at["y"])
        if self.profiler is not None:
            self.library.calls.append("profiled")
            stream.synchronize()
            self.profiler.report_layer_time("mul", 0.5)
        return True

    def __del__(self):
        self.library.freed.append("context")


class Refitter:
    def __init__(self, library, engine):
        self.library, self.engine, self.weight = library, engine, None

    def get_missing_weights(self):
        return []

    def refit_cuda_engine_async(self, handle):
        with torch.cuda.stream(torch.cuda.ExternalStream(handle)):
            self.engine.weight.fill_(self.weight)
        return True


class RefitParser:
    num_errors = 0

    def __init__(self, refitter):
        self.refitter = refitter

    def refit_from_file(self, path):
        content = Path(path).read_bytes()
        self.refitter.weight = float(content[-1]) if content else None
        return bool(content)

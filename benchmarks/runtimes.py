"""The networks in PyTorch and in runtimes that are made for inference: milliseconds a spectrum on one core.

Every runtime works on the same blocks of rows, in turns, in single precision, on one thread; times are of the
processor. What is installed is measured: `pip install openvino onnxruntime onnx` beside spectraq. Run as
`OMP_NUM_THREADS=1 python benchmarks/runtimes.py [--repeats N]`.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from spectraq.models import shipped
from spectraq.models.anomaly.detector import Detector
from spectraq.models.anomaly.detector_input import N_EVIDENCE, N_PLANES
from spectraq.models.grid.axis import N_COARSE
from spectraq.models.grid.prepare import N_CHANNELS
from spectraq.models.networks.classifier import Classifier
from spectraq.models.networks.encoder import Encoder
from spectraq.models.networks.stored import StoredNetwork
from spectraq.models.tiles import NETWORK_ROWS

KINDS: dict[str, type[StoredNetwork]] = {
    "classifier-1": Classifier,
    "classifier-2": Classifier,
    "classifier-3": Classifier,
    "encoder": Encoder,
    "detector": Detector,
}
Run = Callable[[], object]


class Flat(nn.Module):
    """A network that gives plain tensors, as runtimes take it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *given: Tensor) -> Any:
        """Return the tensors of the network's answer."""
        answer = self.network(*given)
        if isinstance(self.network, Encoder):
            return answer.coefficients, answer.response, answer.subclass
        return tuple(answer) if isinstance(answer, tuple) else answer


def inputs(name: str) -> tuple[Tensor, ...]:
    draw = torch.Generator().manual_seed(1)
    shapes = [(N_CHANNELS, N_COARSE)] if name != "detector" else [(N_PLANES, N_COARSE), (N_EVIDENCE,)]
    return tuple(torch.randn(NETWORK_ROWS, *shape, generator=draw) for shape in shapes)


def in_openvino(network: nn.Module, given: tuple[Tensor, ...]) -> Run:
    import openvino

    converted = openvino.convert_model(network, example_input=given, input=[list(x.shape) for x in given])
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(converted, "CPU", settings).create_infer_request()
    return lambda: request.infer([x.numpy() for x in given], share_inputs=True, share_outputs=True)


def in_onnxruntime(network: nn.Module, given: tuple[Tensor, ...]) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        torch.onnx.export(network, given, path, dynamo=False, opset_version=17)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return lambda: session.run(None, {name: x.numpy() for name, x in zip(names, given, strict=True)})


def runs(name: str) -> dict[str, Run]:
    """Every way to ask a network that can be had here, by runtime."""
    path, given = shipped.FOLDER / f"{name}.safetensors", inputs(name)
    folded, plain = KINDS[name].load(path), Flat(KINDS[name].read(path).eval())
    found: dict[str, Run] = {"PyTorch": lambda: folded(*given)}
    for runtime, made in (("openvino", in_openvino), ("onnxruntime", in_onnxruntime)):
        if importlib.util.find_spec(runtime):
            with torch.no_grad():
                found[runtime] = made(plain, given)
    return found


def in_turns(ways: dict[str, Run], repeats: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, run in ways.items():
            start = time.process_time()
            run()
            if repeat:  # the first allocates
                times[name].append(1e3 * (time.process_time() - start) / NETWORK_ROWS)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")  # of tracing: shapes are fixed on purpose
    torch.set_num_threads(1)
    print(f"{'network':14s} {'runtime':12s} {'least':>7s} {'median':>7s} {'PyTorch over it':>16s}")
    for name in KINDS:
        ways = runs(name)
        with torch.inference_mode():
            times = in_turns(ways, repeats)
        for way, of_way in times.items():
            ratio = median(a / b for a, b in zip(times["PyTorch"], of_way, strict=True))
            print(f"{name:14s} {way:12s} {min(of_way):7.3f} {median(of_way):7.3f} {ratio:16.2f}")


if __name__ == "__main__":
    main()

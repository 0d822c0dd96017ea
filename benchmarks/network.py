"""The classifier in five runtimes, compared with the limit set by the machine's matrix products."""

import functools
import importlib.util
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import cast

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper
from torch import nn

from benchmarks.table import Goal, Section, in_turns, median_ms
from fer import onnxfile
from fer.card import ModelCard
from fer.learn.export import write_onnx
from fer.learn.model import ResNet9, build, flops
from fer.see.classify import Classifier
from fer.weights import WEIGHTS

BATCHES = (1, 64)
ARTICLE_WIDTH = 64
MATRIX_SIDES = (512, 1024, 2048)
GOALS = {1: 0.8, 64: 0.9}  # share of the limit, by batch
OURS = "ONNX Runtime: ours"

Row = tuple[object, ...]
Run = Callable[[np.ndarray], np.ndarray]  # faces uint8 (N, 48, 48) → probabilities (N, 7)


@dataclass(frozen=True)
class Network:
    """A network to time, as a torch module and as the file that the app reads."""

    name: str
    torch: ResNet9
    card: ModelCard
    weights: Path


def network_section(rounds: int) -> Section:
    """Times every runtime, both networks, one face and 64, with the matrix products in the same rounds."""
    rows: list[Row] = []
    goals: list[Goal] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for network in (shipped(), random_network(ARTICLE_WIDTH, Path(folder))):
            runtimes, skipped = make_runtimes(network)
            notes = skipped
            for batch in BATCHES:
                found, goal = measure(network, runtimes, batch, rounds)
                rows += found
                goals.append(goal)
    words = (
        f"Faces in as uint8 (N, 48, 48), probabilities out, float32, all cores; {rounds} rounds in which every runtime "
        "takes its turn. The limit is the time that the machine needs for the network's arithmetic (2 operations for "
        "each multiply-add, padding counted) at the rate of its fastest matrix product (numpy's OpenBLAS, torch, ONNX "
        f"Runtime; squares of {', '.join(map(str, MATRIX_SIDES))}), measured in the same rounds. 'moves' is the "
        "largest difference of a probability from ours; the file stores trained tensors in fp16. The app takes ONNX "
        "Runtime: no other is clearly faster, its packages are the smallest (table 'On disk'), and YuNet's file runs "
        "in it as it is. One face at full width must also read 26 MB of weights, which the limit leaves out: by ONNX "
        "Runtime's profile its last three convolutions, with 24 MB of them, take over half of the time."
    )
    head = ("network", "faces", "runtime", "median ms", "fastest ms", "of torch eager", "faces/s", "share of limit")
    return Section("The network", " ".join([words, *notes]), (*head, "moves"), rows, goals)


def measure(network: Network, runtimes: dict[str, Run], batch: int, rounds: int) -> tuple[list[Row], Goal]:
    """Rows of the table for one network and batch, and the goal for ours."""
    faces = np.random.default_rng(0).integers(0, 256, (batch, 48, 48), dtype=np.uint8)
    expected = runtimes[OURS](faces)
    moves = {name: float(np.abs(run(faces) - expected).max()) for name, run in runtimes.items()}
    calls = 20 if batch == 1 else 3
    times = in_turns(
        {name: lambda run=run: median_ms(lambda: run(faces), calls, warm_up=2) for name, run in runtimes.items()}
        | {name: lambda run=run: median_ms(run, 3) for name, run in matrix_products().items()},
        rounds,
    )
    work = flops(network.torch, batch)
    products = {name: [work * ms / product_flops(name) for ms in times[name]] for name in matrix_products()}
    best = min(products, key=lambda name: median(products[name]))
    limit_ms, fastest_limit_ms = median(products[best]), min(map(min, products.values()))
    base = times["torch eager"]
    rows: list[Row] = [
        (
            *(network.name, batch, name, f"{median(times[name]):.2f}", f"{min(times[name]):.2f}"),
            f"{median(t / b for t, b in zip(times[name], base, strict=True)):.2f}",
            f"{1000 * batch / median(times[name]):.0f}",
            f"{limit_ms / median(times[name]):.2f}",
            "" if name == OURS else f"{moves[name]:.0e}",
        )
        for name in runtimes
    ]
    words = f"the limit: {work / 1e9:.3f} GFLOP at {work / limit_ms / 1e6:.0f} GFLOP/s ({best})"
    limit = f"{limit_ms:.2f}", f"{fastest_limit_ms:.2f}", f"{limit_ms / median(base):.2f}"
    rows.append((network.name, batch, words, *limit, "", "1.00", ""))
    share = limit_ms / median(times[OURS])
    faces_words = "one face" if batch == 1 else f"a batch of {batch}"
    goal = Goal(
        f"{network.name}: {faces_words} at {GOALS[batch]} of the matrix-product limit or better",
        f"{share:.2f} ({median(times[OURS]):.2f} ms, limit {limit_ms:.2f} ms); "
        f"fastest against fastest {fastest_limit_ms / min(times[OURS]):.2f}",
        share >= GOALS[batch],
    )
    return rows, goal


def shipped() -> Network:
    """The weights that come with the repository; torch's copy gets the folded tensors of the file."""
    file = onnxfile.read(WEIGHTS)
    name = f"shipped (width {file.width}, groups {file.groups})"
    return Network(name, unfolded(WEIGHTS), Classifier().card, WEIGHTS)


def random_network(width: int, folder: Path) -> Network:
    card = ModelCard(name="benchmark", architecture="ResNet9", parameters=1, mean=0.5, std=0.5)
    network = build(width, 0.0, seed=0).eval()
    write_onnx(folder / "random.onnx", network, card)
    return Network(f"the article's (width {width}, random)", network, card, folder / "random.onnx")


def unfolded(weights: Path) -> ResNet9:
    """The torch network that computes the same as an exported file: its batch norms change nothing."""
    file = onnxfile.read(weights)
    tensors = {name: torch.from_numpy(tensor) for name, tensor in file.tensors.items()}
    network = ResNet9(file.width, groups=file.groups).eval()
    with torch.no_grad():
        for name, block in network.named_modules():
            if f"{name}.weight" in tensors and isinstance(block, nn.Sequential):
                convolution, norm = cast(nn.Conv2d, block[0]), cast(nn.BatchNorm2d, block[1])
                assert convolution.bias is not None
                convolution.weight.copy_(tensors[f"{name}.weight"])
                convolution.bias.copy_(tensors[f"{name}.bias"])
                norm.eps = 0.0
        network.head.weight.copy_(tensors["head.weight"])
        network.head.bias.copy_(tensors["head.bias"])
    return network


def make_runtimes(network: Network) -> tuple[dict[str, Run], list[str]]:
    """Each runtime by name, and a sentence for each that cannot run here."""
    runtimes: dict[str, Run] = {
        "torch eager": torch_run(network.torch, network.card),
        "torch channels_last": torch_run(network.torch, network.card, torch.channels_last),
    }
    skipped = []
    if shutil.which("g++") or shutil.which("clang++"):
        runtimes["torch.compile"] = torch_run(network.torch, network.card, compiled=True)
    else:
        skipped.append("torch.compile was left out: it needs a C++ compiler, and there is none.")
    runtimes[OURS] = Classifier(network.weights).probabilities
    if importlib.util.find_spec("openvino"):
        runtimes["OpenVINO"] = openvino_run(network.weights)
    else:
        skipped.append("OpenVINO was left out: `openvino` is not installed.")
    return runtimes, skipped


def torch_run(
    network: ResNet9, card: ModelCard, layout: torch.memory_format = torch.contiguous_format, compiled: bool = False
) -> Run:
    own = ResNet9(network.width, groups=network.groups).eval()
    own.load_state_dict(network.state_dict())
    for mine, theirs in zip(own.modules(), network.modules(), strict=True):
        if isinstance(mine, nn.BatchNorm2d):
            mine.eps = theirs.eps  # type: ignore[assignment]
    own = own.to(memory_format=layout)
    call = torch.compile(own, dynamic=False) if compiled else own

    def run(faces: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = torch.from_numpy(faces).unsqueeze(1).float().div_(255).sub_(card.mean).div_(card.std)
            answer: torch.Tensor = call(x.contiguous(memory_format=layout))
            found: np.ndarray = answer.softmax(1).numpy()
            return found

    return run


def openvino_run(weights: Path) -> Run:
    import openvino

    core = openvino.Core()
    # OpenVINO recognises ONNX by its first bytes; ours begins with the card. Serialising restores the order of fields.
    content = onnx.load(weights).SerializeToString()
    # Its CPU plug-in may choose bf16 by itself; the others compute in float32.
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    model = core.compile_model(core.read_model(content), "CPU", options)
    request = model.create_infer_request()
    output = model.output("probabilities")
    return lambda faces: request.infer({"faces": faces})[output].copy()


@functools.cache
def matrix_products() -> dict[str, Callable[[], object]]:
    """Square float32 products by the names of library and side."""
    products: dict[str, Callable[[], object]] = {}
    for side in MATRIX_SIDES:
        a, b = np.random.default_rng(0).random((2, side, side), dtype=np.float32)
        session = matrix_session(side)
        products[f"numpy {side}"] = functools.partial(np.matmul, a, b)
        products[f"torch {side}"] = functools.partial(torch.mm, torch.from_numpy(a), torch.from_numpy(b))
        products[f"ONNX Runtime {side}"] = functools.partial(session.run, None, {"a": a, "b": b})
    return products


def product_flops(name: str) -> int:
    return 2 * int(name.rsplit(" ", 1)[1]) ** 3


def matrix_session(side: int) -> onnxruntime.InferenceSession:
    a, b, c = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [side, side]) for name in "abc")
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "product", [a, b], [c])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.force_spinning_stop", "1")  # frees the cores for the next runtime
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])

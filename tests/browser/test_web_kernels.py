"""The browser's kernels against what they stand for: ONNX Runtime's layers, OpenCV's pictures, Recognizer's faces."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from playwright.sync_api import Browser

from fer import Recognizer, onnxgraph, web
from fer.see.detect import YuNet, shrink
from fer.see.faces import Face
from fer.see.recognize import cut_square
from fer.see.yunet import read_model
from fer.web.rules import rules
from tests.fakes import tiny
from tests.fakes.camera_clip import acts, scene
from tests.fakes.web_page import Modules, open_modules, rgba

pytestmark = pytest.mark.browser
KERNELS = web.kernels()
WEIGHTS = web.FOLDER.parent / "weights" / "resnet9.onnx"

# Every value of a network over one input, given as float32 (N, H, W, C) in {pixels, shape}.
LAYERS = """async ({ kernels, file, pixels, shape, stride, every }, { compileKernels, Kernels, Network }) => {
  const network = new Network(new Kernels(await compileKernels(kernels)), file)
  // Without this a value's place is used again behind its last reader.
  if (every) network.model.outputs = network.steps.map(({ node }) => node.outputs[0])
  const [count, height, width, channels] = shape
  const input = network.plan({ count, height, width, channels, stride })
  const map = network.kernels.floats(input.at, count * (height + 2) * (width + 2) * stride)
  const from = new Float32Array(pixels.buffer, pixels.byteOffset, pixels.length / 4)
  for (let n = 0, i = 0; n < count; n++) for (let y = 1; y <= height; y++) for (let x = 1; x <= width; x++)
    for (let c = 0; c < channels; c++) map[((n * (height + 2) + y) * (width + 2) + x) * stride + c] = from[i++]
  network.run()
  network.run() // a second run must not see what the first one left
  return Object.fromEntries([...network.values.keys()].map((name) => [name, network.read(name)]))
}"""
READ = """async ({ kernels, models, rules, pictures, look }, { compileKernels, Recognizer }) => {
  const recognizer = new Recognizer(await compileKernels(kernels), models, rules)
  return pictures.map(({ pixels, width, height }) => {
    const picture = recognizer.open(width, height)
    picture.view().set(pixels)
    return look === null ? recognizer.readPhoto(picture) : recognizer.readFrame(picture, look)
  })
}"""


@pytest.fixture(scope="module")
def modules(browser: Browser) -> Iterator[Modules]:
    with open_modules(browser) as page:
        yield page


@pytest.fixture(scope="module")
def models() -> dict[str, bytes]:
    files = web.read_models(WEIGHTS)
    return {"detector": files.detector, "classifier": files.classifier}


def every_layer(file: bytes, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What ONNX Runtime, its optimisations off, has behind each node."""
    model = onnx.load_from_string(file)
    known = {output.name for output in model.graph.output}
    for node in model.graph.node:
        model.graph.output.extend([onnx.ValueInfoProto(name=name) for name in node.output if name not in known])
    for dim in model.graph.input[0].type.tensor_type.shape.dim:
        dim.dim_param = f"free_{dim.dim_value}_{dim.dim_param}"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def compare_layers(page: Modules, kernels: dict[str, bytes], file: bytes, feeds: dict[str, np.ndarray]) -> int:
    """Holds every layer to 3e-5 of its largest number; gives how many were compared.

    The sums are float32 in another order, through up to 53 layers.
    """
    ((name, value),) = feeds.items()
    pixels = value.transpose(0, 2, 3, 1) if value.ndim == 4 else value[..., None]
    given = {
        "kernels": kernels,
        "file": file,
        "pixels": np.ascontiguousarray(pixels, np.float32).tobytes(),
        "shape": list(pixels.shape),
        "stride": 4 if pixels.shape[-1] == 3 else 1,
    }
    found, wanted = page.call(LAYERS, given | {"every": True}), every_layer(file, feeds)
    outputs = page.call(LAYERS, given | {"every": False})
    assert {output.name for output in onnx.load_from_string(file).graph.output} <= outputs.keys() < found.keys()
    for layer, output in outputs.items():
        np.testing.assert_array_equal(output["numbers"], found[layer]["numbers"])
    compared = 0
    for layer in found.keys() & wanted.keys() - {name}:
        numbers, want = found[layer]["numbers"], wanted[layer]
        numbers = numbers.reshape([found[layer][key] for key in ("count", "height", "width", "channels")])
        # Behind YuNet's Transpose, ONNX has the channels innermost too.
        numbers = numbers.transpose(0, 3, 1, 2) if numbers.transpose(0, 3, 1, 2).shape == want.shape else numbers
        np.testing.assert_allclose(numbers.reshape(want.shape), want, atol=3e-5 * max(1, np.abs(want).max()), rtol=0)
        compared += 1
    return compared


@pytest.fixture(params=["relaxed", "plain"])
def kernels(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """Both builds; the plain one as in a browser without relaxed SIMD."""
    return KERNELS if request.param == "relaxed" else {"plain": KERNELS["plain"], "relaxed": KERNELS["plain"]}


@pytest.mark.parametrize("size", [(96, 160), (64, 32)])
def test_every_layer_of_the_detector(
    modules: Modules, kernels: dict[str, bytes], sample_image: np.ndarray, size: tuple[int, int]
) -> None:
    image = cv2.resize(sample_image, size[::-1]).transpose(2, 0, 1)[None].astype(np.float32)
    # 53 convolutions and the ReLUs behind some are one layer here; 24 have no ReLU and 29 have.
    assert compare_layers(modules, kernels, read_model(), {"input": image}) > 80


@pytest.mark.parametrize("count", [1, 5])
def test_every_layer_of_the_classifier(modules: Modules, kernels: dict[str, bytes], count: int) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (count, 48, 48), dtype=np.uint8)
    assert compare_layers(modules, kernels, WEIGHTS.read_bytes(), {"faces": faces}) > 20


@pytest.mark.parametrize(("width", "groups"), [(32, 1), (64, 2), (24, 3)])
def test_every_layer_of_networks_side_by_side(
    modules: Modules, kernels: dict[str, bytes], width: int, groups: int
) -> None:
    rng = np.random.default_rng(1)
    shapes = onnxgraph.shapes(width, groups)
    tensors = {name: (rng.normal(size=s) / np.sqrt(np.prod(s[1:]))).astype(np.float32) for name, s in shapes.items()}
    faces = rng.integers(0, 256, (3, 48, 48), dtype=np.uint8)
    assert compare_layers(modules, kernels, onnxgraph.build(tensors, tiny.CARD), {"faces": faces}) > 20


def changed(file: bytes, change: str) -> bytes:
    """The classifier with something that the kernels do not know."""
    model = onnx.load_from_string(file)
    node = next(n for n in model.graph.node if n.op_type == change.split()[0])
    if change == "Relu":
        node.op_type = "Elu"
    else:
        name = change.split()[1]
        del next(a for a in node.attribute if a.name == name).ints[:]
        next(a for a in node.attribute if a.name == name).ints.extend([3, 3] if name == "strides" else [2, 2, 2, 2])
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: changed(file, "Relu"), "(Elu): a layer of an unknown kind"),
        (lambda file: changed(file, "Conv pads"), "(Conv): padding of 2,2,2,2"),
        (lambda file: changed(file, "MaxPool strides"), "windows of 2,2 at steps of 3,3"),
        (lambda file: file[: len(file) // 2], "the file ends in the middle"),
        (lambda file: b"", "holds no network"),
        (lambda file: b"PK\x03\x04 a zip, not ONNX", ""),
    ],
    ids=["layer", "padding", "pooling", "torn", "empty", "foreign"],
)
def test_what_the_kernels_do_not_know_is_refused_in_words(
    modules: Modules, spoil: Callable[[bytes], bytes], words: str
) -> None:
    load = """async ({ kernels, file }, { compileKernels, Kernels, Network, ModelError }) => {
      try { new Network(new Kernels(await compileKernels(kernels)), file) }
      catch (error) { return { known: error instanceof ModelError, words: error.message } }
      return { known: false, words: "taken" }
    }"""
    said = modules.call(load, {"kernels": KERNELS, "file": spoil(WEIGHTS.read_bytes())})
    assert said["known"], said
    assert words in said["words"]


def test_a_browser_without_simd_is_told_from_one_with(modules: Modules) -> None:
    load = """async ({ kernels }, { compileKernels }) => {
      try { await compileKernels(kernels) } catch (error) { return error.name }
      return "taken"
    }"""
    assert modules.call(load, {"kernels": KERNELS}) == "taken"
    assert modules.call(load, {"kernels": {"plain": b"\0asm", "relaxed": b"\0asm"}}) == "NotSupportedError"


@pytest.mark.parametrize("longest", [480, 320, 240, 200, 517, 640])
@pytest.mark.parametrize("size", [(480, 640), (720, 1280), (333, 517), (2100, 1999)])
def test_pictures_shrink_as_in_opencv(modules: Modules, size: tuple[int, int], longest: int) -> None:
    """To the last bit: a pixel that was rounded otherwise moved a face by four pixels once."""
    image = np.random.default_rng(longest).integers(0, 256, (*size, 3), dtype=np.uint8)
    resize = """async ({ kernels, pixels, width, height, longest }, modules) => {
      const { compileKernels, Kernels, newPicture, shrink } = modules
      const memory = new Kernels(await compileKernels(kernels))
      const picture = newPicture(memory, width, height)
      memory.bytes(picture.at, pixels.length).set(pixels)
      const small = shrink(memory, picture, longest)
      const found = memory.bytes(small.at, 4 * small.width * small.height).slice()
      return { pixels: found, size: [small.height, small.width] }
    }"""
    found = modules.call(resize, {"kernels": KERNELS, "pixels": rgba(image), "longest": longest,
                                   "height": size[0], "width": size[1]})  # fmt: skip
    np.testing.assert_array_equal(found["pixels"].reshape(*found["size"], 4)[..., :3], shrink(image, longest))


BOXES = [(100.3, 80.7, side) for side in (96.0, 100.25, 144.1, 177.77, 48.2, 47.3, 33.5, 20.6, 1.2)]


@pytest.mark.parametrize(("left", "top", "side"), [*BOXES, (-20.3, -10.2, 100.3), (560.4, 430.2, 130.0)])
def test_faces_are_cut_as_in_opencv(
    modules: Modules, sample_image: np.ndarray, left: float, top: float, side: float
) -> None:
    """To the last bit where a face shrinks; where it grows, one of 200 pixels may be one step brighter or darker."""
    image = cv2.resize(sample_image, (640, 480))
    box = (left, top, left + side, top + side)
    cut = """async ({ kernels, pixels, box }, { compileKernels, Kernels, newPicture, cutFace }) => {
      const memory = new Kernels(await compileKernels(kernels))
      const picture = newPicture(memory, 640, 480)
      memory.bytes(picture.at, pixels.length).set(pixels)
      return cutFace(memory, picture, box, 48)
    }"""
    found = modules.call(cut, {"kernels": KERNELS, "pixels": rgba(image), "box": list(box)}).reshape(48, 48)
    error = np.abs(found.astype(int) - cut_square(image, box, 48))
    assert error.max() <= (0 if side > 48.5 else 1)
    assert (error > 0).mean() < 0.01


def read(
    page: Modules,
    models: dict[str, bytes],
    recognizer: Recognizer,
    mirror: bool,
    images: list[np.ndarray],
    look: int | None,
) -> list[Any]:
    pictures = [{"pixels": rgba(image), "width": image.shape[1], "height": image.shape[0]} for image in images]
    numbers = rules(recognizer.card, mirror)
    return page.call(READ, {"kernels": KERNELS, "models": models, "rules": numbers, "pictures": pictures, "look": look})


def compare_faces(found: list[dict[str, Any]], faces: list[Face], probabilities: np.ndarray) -> None:
    """Same faces within 0.001 px, probabilities within 1e-3, so the same labels unless two are that close."""
    assert len(found) == len(faces)
    order = np.argsort([face["box"][0] for face in found])
    wanted = np.argsort([face.box[0] for face in faces])
    for i, j in zip(order, wanted, strict=True):
        np.testing.assert_allclose(found[i]["box"], faces[j].box, atol=1e-3)
        np.testing.assert_allclose(found[i]["landmarks"], faces[j].landmarks, atol=1e-3)
        assert found[i]["score"] == pytest.approx(faces[j].score, abs=1e-4)
        np.testing.assert_allclose(found[i]["probabilities"], probabilities[j], atol=1e-3)
        assert found[i]["probabilities"].argmax() == probabilities[j].argmax()


@pytest.mark.parametrize(("look", "mirror"), [(320, True), (480, True), (640, True), (480, False)])
def test_twenty_frames_give_the_faces_of_python(
    modules: Modules, models: dict[str, bytes], sample_image: np.ndarray, look: int, mirror: bool
) -> None:
    recognizer, detector = Recognizer(threads=1, mirror=mirror), YuNet(threads=1)
    noise = np.random.default_rng(0)
    frames = [
        np.clip(frame + noise.normal(0, 5, frame.shape), 0, 255).astype(np.uint8)
        for frame in list(acts(sample_image, fps=5))[::2]
    ]
    assert len(frames) == 20
    faces_seen = 0
    for frame, found in zip(frames, read(modules, models, recognizer, mirror, frames, look), strict=True):
        small = shrink(frame, look)
        scale = frame.shape[1] / small.shape[1]
        faces = [
            Face(tuple(v * scale for v in face.box), face.score, face.detector,
                 tuple((x * scale, y * scale) for x, y in face.landmarks or ()))
            for face in detector.detect(small, thorough=False)
        ]  # fmt: skip
        compare_faces(found, faces, recognizer.classify(recognizer.crops(frame, faces)))
        faces_seen += len(faces)
    assert faces_seen >= 20


def test_weights_of_another_width_give_the_faces_of_python(
    modules: Modules, tmp_path: Path, sample_image: np.ndarray
) -> None:
    """As chosen on the training page: the kernels are for no one size of the network."""
    file = Path(tiny.write_tiny(tmp_path / "tiny.onnx"))
    recognizer, given = Recognizer(file, threads=1), web.read_models(file)
    networks = {"detector": given.detector, "classifier": given.classifier}
    (found,) = read(modules, networks, recognizer, True, [sample_image], None)
    wanted = recognizer.observe(sample_image)
    compare_faces(found, [seen.face for seen in wanted], np.array([seen.probabilities for seen in wanted]))


def crowd(photo: np.ndarray, width: int, height: int, count: int, side: int) -> np.ndarray:
    """A photo with faces of that width in rows, each a little wider than the one before."""
    columns = max(1, int(np.ceil(np.sqrt(count * width / height))))
    rows = -(-count // columns)
    places = [(((i % columns) + 0.5) * width / columns, (i // columns + 0.5) * height / rows) for i in range(count)]
    return scene(photo, [(x, y, side + i) for i, (x, y) in enumerate(places)], (width, height))


@pytest.mark.parametrize(
    ("width", "height", "count", "side"),
    [
        (640, 480, 1, 200),
        (640, 480, 6, 60),
        (1600, 1200, 2, 350),
        (4000, 2600, 20, 120),
        (300, 200, 0, 10),
        (90, 90, 1, 40),
    ],
    ids=["one look", "small faces", "large", "pieces", "none", "enlarged"],
)
def test_photos_give_the_faces_of_python(
    modules: Modules, models: dict[str, bytes], sample_image: np.ndarray,
    width: int, height: int, count: int, side: int,
) -> None:  # fmt: skip
    """Second look, pieces, order: as for a photo in Python, the most prominent face first."""
    recognizer = Recognizer(threads=1)
    photo = crowd(sample_image, width, height, count, side)
    (found,) = read(modules, models, recognizer, True, [photo], None)
    wanted = recognizer.observe(photo)
    assert len(wanted) >= count
    compare_faces(found, [seen.face for seen in wanted], np.array([seen.probabilities for seen in wanted]))
    assert [seen["score"] for seen in found] == pytest.approx([seen.face.score for seen in wanted], abs=1e-3)


TURN = """async ({ kernels, models, rules, pictures }, { compileKernels, Recognizer }) => {
  const recognizer = new Recognizer(await compileKernels(kernels), models, rules)
  return pictures.map(({ pixels, width, height }) => {
    const picture = recognizer.open(width, height)
    picture.view().set(pixels)
    return recognizer.suggestTurn(picture, recognizer.readPhoto(picture))
  })
}"""


def test_photos_get_the_turn_that_python_suggests(
    modules: Modules, models: dict[str, bytes], sample_image: np.ndarray
) -> None:
    recognizer = Recognizer(threads=1)
    wide = crowd(sample_image, 900, 500, 2, 120)
    photos = [
        np.ascontiguousarray(np.rot90(photo, quarters)) for photo in (sample_image, wide) for quarters in range(4)
    ]
    photos.append(np.full((300, 200, 3), 90, np.uint8))
    wanted = [recognizer.suggest_turn(photo, [seen.face for seen in recognizer.observe(photo)]) for photo in photos]
    assert wanted == [0, 270, 180, 90] * 2 + [0]
    pictures = [{"pixels": rgba(photo), "width": photo.shape[1], "height": photo.shape[0]} for photo in photos]
    numbers = rules(recognizer.card)
    assert modules.call(TURN, {"kernels": KERNELS, "models": models, "rules": numbers, "pictures": pictures}) == wanted


def test_the_wasm_is_what_its_source_gives() -> None:
    command = [sys.executable, "scripts/build_kernels.py", "--check"]
    done = subprocess.run(command, cwd=web.FOLDER.parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

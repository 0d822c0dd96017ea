"""What is fuzzed: each reader of foreign files, the good files to begin from, and the errors that it documents.

All seeds are drawn or counted here; nothing comes from outside.
"""

import gzip
import hashlib
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    import av
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from fer.learn.model import ResNet9

FACES = 12
_BLANK = b"0" * 64


@dataclass(frozen=True)
class Target:
    """A reader.

    seeds: good files. read: reads one; `folder` is its own, for readers that want a path. errors: what it may raise.
    fragile: it runs in a process of its own (fer.confined), so its crash is an answer too.
    """

    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], object]
    errors: Callable[[], tuple[type[Exception], ...]]
    fragile: bool = False


def _picture() -> np.ndarray:
    """RGB uint8 (48, 64, 3)."""
    y, x = np.mgrid[:48, :64]
    return np.stack([4 * x, 5 * y, 255 - 2 * x], axis=2).astype(np.uint8)


def photo_seeds() -> list[bytes]:
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    rgb = Image.fromarray(_picture())
    exif = Image.Exif()
    exif[0x0112] = 6
    found = []
    for name, options in (
        ("JPEG", {"exif": exif}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("GIF", {"save_all": True, "append_images": [rgb.rotate(90)]}),
        ("WEBP", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("BMP", {}),
        ("AVIF", {}),
        ("HEIF", {}),
        ("MPO", {"save_all": True, "append_images": [rgb]}),
    ):
        file = io.BytesIO()
        rgb.save(file, name, **options)
        found.append(file.getvalue())
    for mode in ("P", "1", "LA", "CMYK", "I;16"):
        file = io.BytesIO()
        other = Image.fromarray(_picture()[:, :, 0].astype(np.uint16) * 200) if mode == "I;16" else rgb.convert(mode)
        other.save(file, "TIFF" if mode == "CMYK" else "PNG")
        found.append(file.getvalue())
    return found


def read_photo(content: bytes, folder: Path) -> object:
    from fer.see.images import open_image

    return open_image(content)


def video_seeds() -> list[bytes]:
    import av

    found = []
    for container, codec, sound in (
        ("mp4", "libx264", "aac"),
        ("matroska", "libx264", "aac"),
        ("avi", "mpeg4", None),
        ("webm", "libvpx", None),
        ("mpegts", "mpeg2video", "mp2"),
        ("mov", "mjpeg", None),
    ):
        file = io.BytesIO()
        with av.open(file, "w", format=container) as out:
            video = cast("av.VideoStream", out.add_stream(codec, rate=10))
            video.width, video.height = 64, 48
            video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            audio = cast("av.AudioStream", out.add_stream(sound, rate=48000, layout="mono")) if sound else None
            for shift in range(8):
                out.mux(video.encode(av.VideoFrame.from_ndarray(np.roll(_picture(), shift, 1), "rgb24")))
            out.mux(video.encode(None))
            if audio is not None:
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 24000), np.int16), "s16", "mono")
                frame.sample_rate = 48000
                out.mux(audio.encode(frame))
                out.mux(audio.encode(None))
        found.append(file.getvalue())
    return found


def read_video(content: bytes, folder: Path) -> object:
    from fer.see.videofile import VideoFile

    return [type(part) for part, _ in zip(VideoFile(content).read(sound=True), range(60), strict=False)]


@cache
def _faces() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (FACES, 48, 48), dtype=np.uint8), np.arange(FACES) % 7


def csv_seeds() -> list[bytes]:
    images, labels = _faces()
    usages = ["Training", "PublicTest", "PrivateTest"]
    original = "emotion,pixels,Usage\n" + "".join(
        f"{label},{' '.join(map(str, image.ravel()))},{usages[i % 3]}\n"
        for i, (image, label) in enumerate(zip(images, labels, strict=True))
    )
    other = original.replace("emotion,pixels,Usage", "emotion, Usage, pixels")
    rows = [line.split(",") for line in other.splitlines()[1:]]
    other = "emotion, Usage, pixels\n" + "".join(f"{a}, {c}, {b}\n" for a, b, c in rows)
    return [text.encode() for text in (original, other, original.replace("\n", "\r\n"), "\ufeff" + original)]


def _face_png(image: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def face_seeds() -> list[bytes]:
    from PIL import Image

    images, _ = _faces()
    jpeg = io.BytesIO()
    Image.fromarray(images[0]).save(jpeg, "JPEG")
    return [_face_png(images[0]), _face_png(np.full((48, 48), 9, np.uint8)), jpeg.getvalue()]


def read_face(content: bytes, folder: Path) -> object:
    from fer.data.facefiles import decode_face

    return decode_face(content)


def archive_seeds() -> list[bytes]:
    from fer.emotions import CLASSES

    images, labels = _faces()
    named = [
        (f"{'train' if i % 2 else 'test'}/{CLASSES[label]}/fer{i:07}.png", _face_png(image))
        for i, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    members = (named, [("fer2013.csv", csv_seeds()[0])])
    zips = [_zip(files, method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for files in members]
    tars = [_tar(files) for files in members]
    return zips + tars + [gzip.compress(content, mtime=0) for content in (*tars, csv_seeds()[0])]


def _zip(files: list[tuple[str, bytes]], method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def _tar(files: list[tuple[str, bytes]]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def parquet_seeds() -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    images, labels = _faces()
    rows = [{"bytes": _face_png(image), "path": f"fer{i:07}.png"} for i, image in enumerate(images)]
    found = []
    for compression in ("none", "snappy", "zstd"):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"image": rows, "label": labels}), sink, compression=compression)
        found.append(sink.getvalue().to_pybytes())
    return found


def read_source(content: bytes, folder: Path) -> object:
    from fer.data import dataset

    path = folder / "train.bin"
    path.write_bytes(content)
    return dataset.read(path, skip_bad_rows=True, on_skipped=lambda message: None)


def table_seeds() -> list[bytes]:
    import tempfile

    import pyarrow.parquet as pq

    from fer.judge.evaluation import EvaluationTable

    rng = np.random.default_rng(0)
    n = 30
    single = rng.dirichlet(np.ones(7), n).astype(np.float32)
    table = EvaluationTable(
        np.arange(n, dtype=np.int32), np.full(n, 1, np.uint8), rng.integers(0, 7, n).astype(np.int8), single, single
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        table.to_parquet(path)
        first = path.read_bytes()
        pq.write_table(pq.read_table(path), path, compression="none", use_dictionary=False)
        return [first, path.read_bytes()]


def read_table(content: bytes, folder: Path) -> object:
    from fer.judge.evaluation import packed

    return packed(content)


def log_seeds() -> list[bytes]:
    from fer.runs.event import RunEvent, encode

    events = [
        RunEvent("start", 0, 1.7e9, {"config": {"epochs": 2}, "git": "abc"}),
        RunEvent("step", 1, 1.7e9, {"loss": 1.5, "step": 3}),
        RunEvent("epoch", 2, 1.7e9, {"accuracy": 0.5, "loss": float("nan"), "confusion": [[1] * 7] * 7}),
        RunEvent("end", 3, 1.7e9, {"why": "done"}),
    ]
    return [b"".join(encode(event) for event in events)]


def read_log(content: bytes, folder: Path) -> object:
    from fer.runs.log import Tail

    path = folder / "log.jsonl"
    path.write_bytes(content)
    return Tail(path).read()


def card_seeds() -> list[bytes]:
    from tests.fakes import tiny

    metrics = {"PublicTest": {"accuracy": 0.7, "n": 3589}}
    values = json.loads(tiny.CARD.to_json())
    return [tiny.CARD.to_json().encode(), json.dumps({**values, "metrics": metrics, "config": {"width": 4}}).encode()]


def read_card(content: bytes, folder: Path) -> object:
    from fer.card import CardError, ModelCard
    from webui.evaluation.card_text import card_markdown

    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise CardError("the test's own: cards come as text") from None
    return card_markdown(ModelCard.from_json(text))


def sealed(content: bytes) -> bytes:
    """Resealed, as anybody can do."""
    found = re.search(rb"fer\.sha256(?:\x12\x40|\":\")(.{64})", content, re.DOTALL)
    if found is None:
        return content
    blank = content[: found.start(1)] + _BLANK + content[found.end(1) :]
    return content[: found.start(1)] + hashlib.sha256(blank).hexdigest().encode() + content[found.end(1) :]


def weights_seeds() -> list[bytes]:
    from fer import onnxgraph
    from tests.fakes import tiny

    return [onnxgraph.build(tiny.TENSORS, tiny.CARD, dtype) for dtype in (np.float16, np.float32)]


def read_weights(content: bytes, folder: Path) -> object:
    from fer import onnxfile
    from fer.see.classify import Classifier

    network = Classifier(onnxfile.parse(sealed(content), "weights.onnx"), threads=1)
    return network.probabilities(np.zeros((1, 48, 48), np.uint8))


def _training(width: int = 4) -> "tuple[ResNet9, Optimizer, LRScheduler]":
    import torch

    from fer.learn.model import ResNet9

    torch.manual_seed(0)
    network = ResNet9(width)
    optimizer = torch.optim.Adam(network.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
    network(torch.randn(4, 1, 48, 48)).sum().backward()
    optimizer.step()
    scheduler.step()
    return network, optimizer, scheduler


def state_seeds() -> list[bytes]:
    import tempfile

    from fer.learn import checkpoint, train
    from fer.learn.config import TrainConfig

    config = TrainConfig(width=4)
    network, optimizer, scheduler = _training()
    with tempfile.TemporaryDirectory() as folder:
        weights, state = Path(folder) / "weights", Path(folder) / "state"
        checkpoint.save_weights(weights, network, train.make_card(config, network, 0, 0.5))
        checkpoint.save_state(state, checkpoint.Progress(config, 3, 0.5), {"network": network}, optimizer, scheduler)
        return [weights.read_bytes(), state.read_bytes()]


@cache
def _kept_training() -> "tuple[ResNet9, Optimizer, LRScheduler]":
    return _training()


def read_state(content: bytes, folder: Path) -> object:
    from fer.card import WeightsError
    from fer.learn import checkpoint

    path = folder / "state.safetensors"
    path.write_bytes(sealed(content))
    try:
        return checkpoint.load_weights(path)
    except WeightsError:
        network, optimizer, scheduler = _kept_training()
        return checkpoint.load_state(path, {"network": network}, optimizer, scheduler)


def _errors(*names: str) -> Callable[[], tuple[type[Exception], ...]]:
    def found() -> tuple[type[Exception], ...]:
        import importlib

        split = [name.rsplit(".", 1) for name in names]
        return tuple(getattr(importlib.import_module(module), name) for module, name in split)

    return found


DATASET = _errors("fer.data.faceset.DatasetError")
WEIGHTS = _errors("fer.card.WeightsError")
TARGETS = {
    "photo": Target(photo_seeds, read_photo, _errors("fer.see.images.ImageError")),
    "video": Target(video_seeds, read_video, _errors("fer.see.videofile.VideoError")),
    "csv": Target(csv_seeds, read_source, DATASET),
    "archive": Target(archive_seeds, read_source, DATASET),
    "face": Target(face_seeds, read_face, _errors("fer.data.faceset.RowError")),
    "parquet": Target(parquet_seeds, read_source, DATASET),
    "log": Target(log_seeds, read_log, _errors()),
    "card": Target(card_seeds, read_card, _errors("fer.card.CardError")),
    "weights": Target(weights_seeds, read_weights, WEIGHTS),
    "state": Target(state_seeds, read_state, WEIGHTS),
    "table": Target(table_seeds, read_table, _errors("fer.judge.evaluation.EvaluationError"), fragile=True),
}

"""48×48 grey faces → calibrated probabilities and features, through ONNX Runtime."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime

from fer import onnxfile
from fer.onnxfile import NetworkFile
from fer.weights import WEIGHTS

CHUNK = 64  # faces per run: bounds the memory for any N; larger chunks are no faster per face


class Classifier:
    """The network of a sealed weights file. Safe to call from several threads at once.

    weights: an ONNX file written by scripts/train.py, as a path or already read; None means the shipped one.
    threads: cores that one call may use; None means all of them.
    mirror: whether to average the probabilities of the face and of its mirror image. This takes twice the time and
        raises accuracy by a point (benchmarks/mirror.md). Features are always those of the unmirrored face.

    Raises WeightsError if the file is missing, altered, or contains anything but the known network (fer.onnxfile).
    """

    def __init__(
        self, weights: Path | str | NetworkFile | None = None, threads: int | None = None, mirror: bool = False
    ) -> None:
        if not isinstance(weights, NetworkFile):
            weights = onnxfile.read(WEIGHTS if weights is None else Path(weights))
        self.card, self.mirror = weights.card, mirror
        self._session = onnxruntime.InferenceSession(weights.content, options(threads), ["CPUExecutionProvider"])

    def probabilities(self, faces: np.ndarray, mirror: bool | None = None) -> np.ndarray:
        """Calibrated probabilities, float32 (N, 7), in the order of fer.emotions.CLASSES.

        faces: grey uint8 (N, 48, 48); N may be 0. Raises ValueError for anything else.
        mirror: for this call only; None means the classifier's setting.
        """
        probabilities, _ = self.both_ways(faces, mirror)
        return probabilities

    def both_ways(
        self, faces: np.ndarray, mirror: bool | None = None
    ) -> tuple[np.ndarray, Iterable[np.ndarray | None]]:
        """What `probabilities` returns, and for each face those of it alone; None if no mirror image was read."""
        single, *mirrored = self._run("probabilities", faces, self.mirror if mirror is None else mirror)
        return ((single + mirrored[0]) / 2, single) if mirrored else (single, [None] * len(single))

    def features(self, faces: np.ndarray) -> np.ndarray:
        """The last layer's input, float32 (N, D). faces: as for `probabilities`."""
        features: np.ndarray = self._run("features", faces, mirror=False)[0]
        return features

    def _run(self, output: str, faces: np.ndarray, mirror: bool) -> np.ndarray:
        """An output for the faces and, with `mirror`, for their mirror images: (1 or 2, N, …)."""
        side = self.card.input_size_px
        found = getattr(faces, "dtype", type(faces).__name__), getattr(faces, "shape", ())
        if not isinstance(faces, np.ndarray) or found[0] != np.uint8 or found[1][1:] != (side, side):
            raise ValueError(f"faces must be uint8 (N, {side}, {side}), got {found[0]} {found[1]}")
        parts = []
        for start in range(0, max(len(faces), 1), CHUNK):
            part = faces[start : start + CHUNK]
            shown = np.concatenate([part, part[:, :, ::-1]]) if mirror else part
            values: np.ndarray = self._session.run([output], {"faces": shown})[0]
            parts.append(values.reshape(1 + mirror, len(part), *values.shape[1:]))
        return np.concatenate(parts, axis=1)


def options(threads: int | None) -> onnxruntime.SessionOptions:
    """ONNX Runtime's options for a network that shares the machine with other steps."""
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = threads or 0
    # Otherwise its threads spin for 16 ms or more after each run, on the cores that the next step needs.
    chosen.add_session_config_entry("session.force_spinning_stop", "1")
    chosen.log_severity_level = 3  # of YuNet it warns that output shapes are not those of a 640 × 640 input
    return chosen

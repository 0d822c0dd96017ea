"""48×48 grey faces → calibrated probabilities and features, through ONNX Runtime."""

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
        self._session = onnxruntime.InferenceSession(weights.content, _options(threads), ["CPUExecutionProvider"])

    def probabilities(self, faces: np.ndarray, mirror: bool | None = None) -> np.ndarray:
        """Calibrated probabilities, float32 (N, 7), in the order of fer.emotions.CLASSES.

        faces: grey uint8 (N, 48, 48); N may be 0. Raises ValueError for anything else.
        mirror: for this call only; None means the classifier's setting.
        """
        return self._run(["probabilities"], faces, mirror)[0]

    def both_ways(self, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean of each face's probabilities and its mirror image's, and the former alone; as `probabilities`."""
        starts = range(0, max(len(faces), 1), CHUNK)
        views = [self._views(["probabilities"], faces[start : start + CHUNK])[0] for start in starts]
        single, mirrored = np.concatenate(views, axis=1)
        return (single + mirrored) / 2, single

    def features(self, faces: np.ndarray) -> np.ndarray:
        """The last layer's input, float32 (N, D). faces: as for `probabilities`."""
        return self._run(["features"], faces)[0]

    def both(self, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and features from one run, which costs no more than the probabilities alone."""
        probabilities, features = self._run(["probabilities", "features"], faces)
        return probabilities, features

    def _run(self, outputs: list[str], faces: np.ndarray, mirror: bool | None = None) -> list[np.ndarray]:
        side = self.card.input_size_px
        found = getattr(faces, "dtype", type(faces).__name__), getattr(faces, "shape", ())
        if not isinstance(faces, np.ndarray) or found[0] != np.uint8 or found[1][1:] != (side, side):
            raise ValueError(f"faces must be uint8 (N, {side}, {side}), got {found[0]} {found[1]}")
        both = outputs != ["features"] and (self.mirror if mirror is None else mirror)
        starts = range(0, max(len(faces), 1), CHUNK)
        chunks = [self._run_chunk(outputs, faces[start : start + CHUNK], both) for start in starts]
        return chunks[0] if len(chunks) == 1 else [np.concatenate(parts) for parts in zip(*chunks, strict=True)]

    def _run_chunk(self, outputs: list[str], faces: np.ndarray, mirror: bool) -> list[np.ndarray]:
        if not mirror:
            plain: list[np.ndarray] = self._session.run(outputs, {"faces": faces})
            return plain
        return [
            (single + mirrored) / 2 if name == "probabilities" else single
            for name, (single, mirrored) in zip(outputs, self._views(outputs, faces), strict=True)
        ]

    def _views(self, outputs: list[str], faces: np.ndarray) -> list[np.ndarray]:
        """Each output for the faces and for their mirror images: (2, N, …)."""
        found = self._session.run(outputs, {"faces": np.concatenate([faces, faces[:, :, ::-1]])})
        return [values.reshape(2, len(faces), *values.shape[1:]) for values in found]


def _options(threads: int | None) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads or 0
    # Otherwise its threads spin for 16 ms or more after each run, on the cores that the next step needs.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3
    return options

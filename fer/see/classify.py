"""48×48 grey faces → calibrated probabilities and features, through ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnxruntime

from fer.card import CARD_KEY, CardError, ModelCard, WeightsError, read_sealed
from fer.emotions import CLASSES

WEIGHTS = Path(__file__).parents[1] / "weights" / "resnet9.onnx"

_CHUNK = 64  # faces a run: bounds memory for any N; larger chunks are no faster (benchmarks/cpu.md)


class Classifier:
    """The network of a sealed weights file.

    weights: path of an ONNX file that scripts/train.py wrote; None is the one that ships.
    threads: cores that one call may use; None is all of them.

    Safe to call from several threads at once. Raises WeightsError where the file is refused.
    """

    def __init__(self, weights: Path | str | None = None, threads: int | None = None) -> None:
        path = WEIGHTS if weights is None else Path(weights)
        content = read_sealed(path)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            self.card = ModelCard.from_json(self._session.get_modelmeta().custom_metadata_map[CARD_KEY])
        except KeyError as error:
            raise WeightsError(f"{path}: carries no model card. Write it anew with scripts/train.py.") from error
        except CardError as error:
            raise WeightsError(f"{path}: {error}. Write it anew with scripts/train.py.") from error

    def probabilities(self, faces: np.ndarray) -> np.ndarray:
        """faces: uint8 (N, 48, 48). Gives float32 (N, 7), calibrated, in the order of fer.emotions.CLASSES."""
        return self._run(faces, "probabilities", len(CLASSES))

    def features(self, faces: np.ndarray) -> np.ndarray:
        """faces: uint8 (N, 48, 48). Gives the last layer's input, float32 (N, D)."""
        return self._run(faces, "features", 0)

    def _run(self, faces: np.ndarray, output: str, width: int) -> np.ndarray:
        side = self.card.input_size_px
        if faces.dtype != np.uint8 or faces.ndim != 3 or faces.shape[1:] != (side, side):
            raise ValueError(f"faces must be uint8 (N, {side}, {side}), got {faces.dtype} {faces.shape}")
        chunks = [
            self._session.run([output], {"faces": faces[start : start + _CHUNK]})[0]
            for start in range(0, len(faces), _CHUNK)
        ]
        return np.concatenate(chunks) if chunks else np.empty((0, width), dtype=np.float32)

"""Previews the augmentation of a face in training: `python -m fer.learn.preview` answers JSON lines with faces.

It runs as a separate process, so that the app itself never loads torch. A request is one line
{"face": base64 of 2304 grey bytes, "config": fields of TrainConfig, "count": 24, "seed": 0}; the answer is one line
{"faces": base64 of count × 2304 bytes} or {"error": message}. The process ends with its input or after a minute
without requests.
"""

import base64
import json
import os
import sys
import threading

import numpy as np
import torch

from fer.learn.augment import Augmenter
from fer.learn.config import ConfigError, TrainConfig

IDLE_S = 60.0
_MEAN, _STD = 0.5, 0.5
_MOST = 256


def augmented(face: np.ndarray, config: TrainConfig, count: int, seed: int) -> np.ndarray:
    """uint8 (48, 48) → uint8 (count, 48, 48): `count` versions of the face as training would see it."""
    faces = torch.tensor(np.broadcast_to(face, (count, *face.shape)))
    augment = Augmenter(faces, config, _MEAN, _STD)
    x = augment(torch.arange(count), torch.Generator().manual_seed(seed))  # (count, 1, 48, 48), -1..1
    return ((x[:, 0] * _STD + _MEAN) * 255).round().clamp(0, 255).byte().numpy()


def answer(line: str) -> dict[str, str]:
    """The answer to one request; for an invalid request, an error message."""
    try:
        request = json.loads(line)
        face = np.frombuffer(base64.b64decode(request["face"]), np.uint8).reshape(48, 48)
        count = int(request["count"])
        if not 0 < count <= _MOST:
            raise ValueError(f"count must lie in 1..{_MOST}, got {count}")
        faces = augmented(face, TrainConfig.from_dict(request["config"]), count, int(request["seed"]))
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        return {"error": str(error)}
    return {"faces": base64.b64encode(faces.tobytes()).decode()}


def main() -> None:
    torch.set_num_threads(1)
    while True:
        idle = threading.Timer(IDLE_S, os._exit, [0])  # the limit applies only while waiting for a line
        idle.daemon = True
        idle.start()
        line = sys.stdin.readline()
        idle.cancel()
        if not line:
            return
        print(json.dumps(answer(line)), flush=True)


if __name__ == "__main__":
    main()

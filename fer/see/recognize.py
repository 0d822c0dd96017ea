"""From an image to its faces and their expressions: the entry point of fer.see."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer.card import Framing, WeightsError
from fer.see.classify import CHUNK, Classifier
from fer.see.detect import Detector, make_detector, suggest_turn
from fer.see.faces import Box, Face, Look, Observation, Prediction, Quality, Sample
from fer.see.images import ImageSource, as_picture, check_image
from fer.see.judge import Judge, JudgeSettings, check_share, judge_alone
from fer.see.quality import measure
from fer.see.track import Tracker
from fer.weights import shipped_framing

_Found = tuple[list[Face], np.ndarray, list[Quality]]
_MOST_WAITING = 16  # images whose faces wait for one batch: bounds the wait when few images contain a face


class ClosedError(ValueError):
    """A Recognizer was used after its `close`."""


class Recognizer:
    """Finds the faces in an image and classifies the expression of each.

    weights: path of an ONNX file written by scripts/train.py; None means the shipped one.
    detector: 'yunet', 'haar', or an object that implements the Detector protocol.
    threads: cores that one call may use; None means all of them.
    framing: where a detector's box lies in a crop, by detector, for detectors that are neither in the weights' card
        nor in fer.weights.shipped_framing.
    mirror: whether to average over each face and its mirror image: about a point more accurate, for twice the
        network's time, which is 1.6 ms per face (benchmarks/mirror.md).

    card: the weights file's card, with any framing that it lacked filled in; not to be changed.

    Every method that takes an image accepts an array, RGB uint8 (H, W, 3) or grey uint8 (H, W); a path; the
    content of a picture file as bytes; or a Pillow image. Boxes are in pixels of that image or file, upright.
    Anything else raises TypeError or ValueError; a refused file raises fer.see.images.ImageError.

    Safe to share between threads: the weights and the detector are loaded once and keep no state between calls. A
    Recognizer is pickled as its arguments: unpickling loads its files again, so they must exist there too.
    `with Recognizer() as recognizer:` frees its memory at the end, like `close`; using it later raises ClosedError.

    Raises WeightsError or DetectorError if a file is missing or refused, ValueError for an unknown detector or for no
    threads.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        detector: str | Detector = "yunet",
        threads: int | None = None,
        framing: Mapping[str, Framing] | None = None,
        mirror: bool = True,
    ) -> None:
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, or None for all cores; got {threads}")
        file = None if weights is None else Path(weights).absolute()  # a worker may have another working folder
        self._arguments = file, detector, threads, framing, mirror
        classifier = Classifier(file, threads, mirror)
        known = classifier.card
        self.card = replace(known, framing={**shipped_framing(), **(framing or {}), **known.framing})
        finder = make_detector(detector, threads) if isinstance(detector, str) else detector
        self._networks: tuple[Classifier, Detector] | None = classifier, finder

    def __reduce__(self) -> tuple[Any, ...]:
        self._opened()
        return Recognizer, self._arguments

    def __enter__(self) -> "Recognizer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the memory of the networks, once the calls in progress in other threads have ended."""
        self._networks = None

    def predict(self, image: ImageSource, unsure_below: float | None = None, thorough: bool = True) -> list[Prediction]:
        """The expression of each face in an image; the most prominent face first, [] if there is none.

        unsure_below: confidence under which a label is 'unsure', 0..1; None means the card's.
        thorough: whether to take a second look for small faces; worth it for photos, too slow for live video.

        Raises ValueError for a threshold that is not a number in 0..1, WeightsError if the weights have no framing for
        the detector.
        """
        threshold = self.threshold(unsure_below)  # raises now, not after the work
        return judge_alone(self.observe(image, thorough), threshold)

    def predict_many(
        self, images: Iterable[ImageSource], unsure_below: float | None = None, thorough: bool = True
    ) -> Iterator[list[Prediction]]:
        """Like `predict`, for each image in order; the faces of several images are read as one batch.

        Images are consumed lazily, so a generator over a folder of any size is fine. A refused image raises its error
        after the results of those before it: open images yourself (fer.see.images) to continue with the others.
        A single image raises TypeError.
        """
        threshold = self.threshold(unsure_below)  # raises now, not at the first image
        check_several(images)
        return (judge_alone(seen, threshold) for seen in self.observe_many(images, thorough))

    def stream(
        self, frames: Iterable[ImageSource | tuple[float, ImageSource]], settings: JudgeSettings | None = None
    ) -> Iterator[Sample]:
        """The faces in a video or camera stream over time, with identities and stable labels; one Sample per frame.

        The app's camera does more (fer.see.live: it never waits for the analysis); the steps are the same.

        frames: images, or pairs of a time in seconds and an image; without times, each frame gets its time of arrival.
            docs/python.md has examples for a webcam and a network camera, with OpenCV.
        settings: threshold, smoothing, hysteresis; None means the card's threshold and the app's defaults.

        Raises ValueError if a time does not advance.
        """
        tracker, judge = Tracker(), Judge(settings or JudgeSettings(self.card.unsure_below))
        start_s = time.monotonic()
        for frame in frames:
            time_s, image = frame if isinstance(frame, tuple) else (time.monotonic() - start_s, frame)
            yield judge.add(Look(time_s, tracker.update(self.observe(image, thorough=False), time_s)))

    def observe(self, image: ImageSource, thorough: bool = True) -> list[Observation]:
        """The faces in an image and the network's output for each, not judged; the most prominent face first.

        thorough, errors: as for `predict`.
        """
        return next(self.observe_many([image], thorough))

    def observe_many(self, images: Iterable[ImageSource], thorough: bool = True) -> Iterator[list[Observation]]:
        """Like `observe`, for each image in order; see `predict_many`."""
        check_several(images)
        waiting: list[_Found] = []
        try:
            for image in images:
                picture = as_picture(image)
                faces, crops, qualities = self._cut(picture.image, self.detect(picture.image, thorough))
                waiting.append(([face.scaled(picture.scale) for face in faces], crops, qualities))
                if len(waiting) == _MOST_WAITING or sum(len(crops) for _, crops, _ in waiting) >= CHUNK:
                    ready, waiting = waiting, []
                    yield from self._read(ready)
        except Exception:  # an image was refused: those before it come first
            yield from self._read(waiting)
            raise
        yield from self._read(waiting)

    def _cut(self, image: np.ndarray, faces: Sequence[Face]) -> _Found:
        crops, (height, width) = self.crops(image, faces), image.shape[:2]
        sides_px = (right - left for left, _, right, _ in (self._framing(f.detector).crop(f.box) for f in faces))
        measured = zip(crops, faces, sides_px, strict=True)
        return list(faces), crops, [measure(crop, face, side_px, width, height) for crop, face, side_px in measured]

    def _read(self, found: Sequence[_Found], mirror: bool | None = None) -> Iterator[list[Observation]]:
        """The network's output for the faces of several images, run as one batch."""
        crops = [of_image for _, of_image, _ in found if len(of_image)]
        said = zip(*self._classifier.both_ways(np.concatenate(crops), mirror), strict=True) if crops else iter(())
        for faces, _, qualities in found:
            measured = zip(faces, qualities, said, strict=False)  # `said` goes on with the next image's faces
            yield [Observation(face, shares, quality, single) for face, quality, (shares, single) in measured]

    def detect(self, image: ImageSource, thorough: bool = True) -> list[Face]:
        """The faces in an image, the most prominent first."""
        picture = as_picture(image)
        height, width = picture.image.shape[:2]
        faces = self._detector.detect(picture.image, thorough)
        ordered = sorted(faces, key=lambda face: prominence(face, width, height), reverse=True)
        return [face.scaled(picture.scale) for face in ordered]

    def observe_faces(self, image: np.ndarray, faces: Sequence[Face], mirror: bool | None = None) -> list[Observation]:
        """The network's output for each face found in `image`, an array, in the same order; all run as one batch.

        mirror: as for the Recognizer, for this call only; None means the Recognizer's.
        """
        return next(self._read([self._cut(image, faces)], mirror))

    def crops(self, image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
        """The network's input for each face of an array: grey uint8 (N, 48, 48), framed as in FER2013."""
        image = check_image(image)
        side = self.card.input_size_px
        cut = [cut_square(image, self._framing(face.detector).crop(face.box), side) for face in faces]
        return np.array(cut, np.uint8).reshape(-1, side, side)

    def classify(self, faces: np.ndarray, mirror: bool | None = None) -> np.ndarray:
        """Calibrated probabilities, float32 (N, 7), in the order of fer.emotions.CLASSES.

        faces: grey uint8 (N, 48, 48), framed as FER2013's. Raises ValueError for anything else.
        mirror: as for the Recognizer, for this call only; None means the Recognizer's setting.
        """
        return self._classifier.probabilities(faces, mirror)

    def features(self, faces: np.ndarray) -> np.ndarray:
        """The input of the network's last layer, float32 (N, D). faces: as for `classify`."""
        return self._classifier.features(faces)

    def suggest_turn(self, image: ImageSource, faces: Sequence[Face] = ()) -> int:
        """By how many degrees counter-clockwise to turn the image so that its faces are upright.

        faces: what `detect` found in it, which saves time with most photos; () if unknown.

        0, 90, 180 or 270; `numpy.rot90(image, degrees // 90)` turns it. 0 if no turn gives clearly better faces.
        """
        return suggest_turn(self._detector, as_picture(image).image, faces)

    def threshold(self, unsure_below: float | None) -> float:
        """The confidence under which a label is 'unsure': the one given, or the card's. Raises ValueError."""
        if unsure_below is None:
            return self.card.unsure_below
        check_share("unsure_below", unsure_below)
        return unsure_below

    @property
    def _classifier(self) -> Classifier:
        return self._opened()[0]

    @property
    def _detector(self) -> Detector:
        return self._opened()[1]

    def _opened(self) -> tuple[Classifier, Detector]:
        if self._networks is None:
            raise ClosedError("This Recognizer was closed. Make another one, or close it later.")
        return self._networks

    def _framing(self, detector: str) -> Framing:
        try:
            return self.card.framing[detector]
        except KeyError:
            known = ", ".join(sorted(self.card.framing)) or "none"
            raise WeightsError(
                f"weights {self.card.name!r}: the card has no framing for the detector {detector!r} (it has: {known}). "
                "Use another detector, or learn the framing with scripts/learn_framing.py and export again."
            ) from None


def check_several(images: object) -> None:
    """Raises TypeError for a single image: each of its rows, or of its path's letters, would be taken for an image."""
    single = isinstance(images, str | bytes | Path)
    if single or (isinstance(images, np.ndarray) and (images.ndim < 3 or images.shape[2:] == (3,))):
        raise TypeError("images must be several: put a single one into a list, [image]")


def prominence(face: Face, width: int, height: int) -> float:
    """A face's prominence in an image of that size: its area × its score, reduced to half towards the corners."""
    x, y = face.center
    from_center = float(np.hypot(x / width - 0.5, y / height - 0.5) / np.hypot(0.5, 0.5))
    return face.width * face.height * face.score * (1 - min(from_center, 1) / 2)


def cut_square(image: np.ndarray, box: Box, side_px: int) -> np.ndarray:
    """A square of an image as grey uint8 (side_px, side_px).

    image: RGB uint8 (H, W, 3) or grey (H, W). box: XYXY in pixels; beyond the image its edge is repeated.
    """
    left, top, right, bottom = box
    side = max(1, round(right - left))
    center = (left + right - 1) / 2, (top + bottom - 1) / 2
    patch = cv2.getRectSubPix(image, (side, side), center)
    if patch.ndim == 3:
        patch = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY)  # ITU-R BT.601, as in FER2013
    return cv2.resize(patch, (side_px, side_px), interpolation=cv2.INTER_AREA if side > side_px else cv2.INTER_LINEAR)

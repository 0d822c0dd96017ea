"""Faces that occur more than once: identical, or with another crop, brightness or mirroring.

numpy and OpenCV; minutes for 35,887 faces on two cores, so scripts/audit.py runs it once.
"""

import cv2
import numpy as np

NONE = -1
# Of the pixels at the best shift. Checked by eye, 14 pairs per band: all are the same photo from 0.91 up, 13 of 14 in
# 0.90 to 0.91, 9 of 14 in 0.88 to 0.90.
NEAR_CORRELATION = 0.92
_SHIFT_PX = 5
_THUMBNAIL_PX = 12
_THUMBNAIL_CORRELATION = 0.9
_BLOCK = 1024
_MOST_PAIRS = 64  # candidates per face; uniform grey pictures resemble hundreds


def exact_groups(images: np.ndarray) -> np.ndarray:
    """The first position with the same pixels, int32 (N,), for faces that occur more than once; else NONE.

    images: uint8 (N, 48, 48).
    """
    flat = np.ascontiguousarray(images.reshape(len(images), -1)).view(f"V{images[0].size}").ravel()
    _, first, inverse, counts = np.unique(flat, return_index=True, return_inverse=True, return_counts=True)
    return np.where(counts[inverse] > 1, first[inverse], NONE).astype(np.int32)


def near_pairs(images: np.ndarray) -> np.ndarray:
    """Pairs of positions (i < j), int32 (P, 2), whose pictures are almost the same, perhaps shifted or mirrored.

    Candidates correlate by 0.9 or more as 12×12 thumbnails; they count if the middle 38×38 pixels of one correlate with
    some place in the other by NEAR_CORRELATION. A picture without contrast has no pair.
    """
    images = np.asarray(images)
    thumbnails = np.stack([_thumbnail(image) for image in images])
    mirrored = np.stack([_thumbnail(image[:, ::-1]) for image in images])
    found = []
    for start in range(0, len(images), _BLOCK):
        block = slice(start, start + _BLOCK)
        for others, flip in ((thumbnails, False), (mirrored, True)):
            for i, j in _candidates(thumbnails[block], others[start:], start):
                other = images[j][:, ::-1] if flip else images[j]
                if correlation(images[i], np.ascontiguousarray(other)) >= NEAR_CORRELATION:
                    found.append((i, j))
    return np.unique(np.array(found, dtype=np.int32).reshape(-1, 2), axis=0)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """The correlation of two faces uint8 (48, 48), -1..1: the best over shifts of up to 5 pixels each way."""
    middle = first[_SHIFT_PX:-_SHIFT_PX, _SHIFT_PX:-_SHIFT_PX]
    if middle.std() < 1 or second.std() < 1:
        return 0.0
    return float(cv2.matchTemplate(second, middle, cv2.TM_CCOEFF_NORMED).max())


def groups(pairs: np.ndarray, n: int) -> np.ndarray:
    """Groups of connected pairs: the smallest position of each face's group, int32 (n,), or NONE if it has no pair."""
    parent = np.arange(n)

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in pairs:
        a, b = sorted((root(int(i)), root(int(j))))
        parent[b] = a
    found = np.full(n, NONE, dtype=np.int32)
    for i in np.unique(pairs):
        found[i] = root(int(i))
    return found


def joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two groupings merged, in the form of `groups`: faces that either one joins are joined."""
    links = [np.stack([np.flatnonzero(g != NONE), g[g != NONE]], axis=1) for g in (first, second)]
    return groups(np.concatenate(links), len(first))


def _thumbnail(image: np.ndarray) -> np.ndarray:
    small = cv2.resize(np.ascontiguousarray(image), (_THUMBNAIL_PX, _THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    vector = small.astype(np.float32).ravel()
    vector -= vector.mean()
    length = np.linalg.norm(vector)
    return vector / length if length > _THUMBNAIL_PX else np.zeros_like(vector)


def _candidates(block: np.ndarray, others: np.ndarray, start: int) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, that correlate enough: i in a block of thumbnails, j from its start on."""
    alike = block @ others.T
    i, j = np.nonzero(alike > _THUMBNAIL_CORRELATION)
    later = j > i
    i, j = i[later], j[later]
    best = np.lexsort((-alike[i, j], i))
    i, j = i[best], j[best]
    place = np.arange(len(i)) - np.searchsorted(i, i)  # 0 for the most similar of each face
    kept = place < _MOST_PAIRS
    return list(zip((i[kept] + start).tolist(), (j[kept] + start).tolist(), strict=True))

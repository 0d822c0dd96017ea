"""Damaged copies of good files: the same numbers give the same copies on every machine."""

import numpy as np

_EXTREMES = [
    bytes(4),
    b"\xff" * 4,
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\x80" * 9 + b"\x01",
    b"99999999999999999999",
]


def mutate(seeds: list[bytes], number: int) -> bytes:
    """The damaged file of that number: one of the seeds with one to eight changes, now and then cut or joined."""
    rng = np.random.default_rng((number, 0xFE2))
    content = bytearray(seeds[int(rng.integers(len(seeds)))])
    for _ in range(int(rng.integers(1, 9))):
        if content:
            _change(content, seeds, rng)
    return bytes(content)


def _change(content: bytearray, seeds: list[bytes], rng: np.random.Generator) -> None:
    # Headers are where readers are told what to do, so half of all changes fall into the first 256 bytes.
    reach = min(len(content), 256) if rng.random() < 0.5 else len(content)
    at, length = int(rng.integers(reach)), int(rng.integers(1, 17))
    kind = rng.integers(8)
    if kind < 3:
        content[at] = int(rng.integers(256))
    elif kind == 3:
        content[at] ^= 1 << int(rng.integers(8))
    elif kind == 4:
        extreme = _EXTREMES[int(rng.integers(len(_EXTREMES)))]
        content[at : at + len(extreme)] = extreme
    elif kind == 5:
        del content[at : at + length]
    elif kind == 6:
        content[at:at] = content[at : at + length] * int(rng.integers(1, 4))
    elif rng.random() < 0.5:
        del content[at:]
    else:
        other = seeds[int(rng.integers(len(seeds)))]
        content[at:] = other[min(at, len(other)) :]

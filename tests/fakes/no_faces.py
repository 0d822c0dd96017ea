"""Pictures that show no person: galaxies, gravel, emoji; drawn by chance, RGB uint8 (H, W, 3)."""

import cv2
import numpy as np


def galaxy(rng: np.random.Generator, side_px: int = 640) -> np.ndarray:
    """Two spiral arms of stars about a glowing core, and stars all over."""
    image = np.zeros((side_px, side_px, 3), np.float32)
    turns, reach = rng.uniform(1.0, 2.5), side_px * rng.uniform(0.3, 0.48)
    along = rng.uniform(0, 1, 6000) ** 0.7
    angle = 2 * np.pi * turns * along + np.pi * rng.integers(0, 2, 6000)
    x, y = (side_px / 2 + reach * along * f(angle) + rng.normal(0, side_px / 60, 6000) for f in (np.cos, np.sin))
    _put_stars(image, x, y * rng.uniform(0.5, 1) + side_px / 8, rng, 0.5)
    x, y = rng.uniform(0, side_px, (2, 800))
    _put_stars(image, x, y, rng, 1.0)
    glow = cv2.GaussianBlur(image, (0, 0), side_px / 40) * 6
    core = np.zeros_like(image)
    cv2.circle(core, (side_px // 2, side_px // 2), side_px // 20, (255, 230, 190), -1)
    return np.clip(image + glow + cv2.GaussianBlur(core, (0, 0), side_px / 15), 0, 255).astype(np.uint8)


def gravel(rng: np.random.Generator, side_px: int = 640) -> np.ndarray:
    """Stones of many sizes over each other, each with a lit and a shaded side."""
    image = np.full((side_px, side_px, 3), 70, np.uint8)
    for _ in range(900):
        center = rng.integers(0, side_px, 2)
        axes = rng.integers(6, 40, 2)
        turn, grey = float(rng.uniform(0, 180)), int(rng.integers(70, 210))
        color = np.clip(np.array([grey, grey - 6, grey - 14]) + rng.normal(0, 6, 3), 0, 255)
        for shift, shade in ((4, 0.45), (0, 1.0), (-2, 1.15)):
            size = axes if shift >= 0 else axes * 2 // 3
            at = (int(center[0]) + shift, int(center[1]) + shift)
            cv2.ellipse(
                image, at, (int(size[0]), int(size[1])), turn, 0, 360, np.clip(color * shade, 0, 255).tolist(), -1
            )
    return np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)


def emoji(rng: np.random.Generator, side_px: int = 640) -> np.ndarray:
    """One yellow disc with two eyes and a mouth, on a plain ground."""
    image = np.full((side_px, side_px, 3), rng.integers(180, 256, 3).tolist(), np.uint8)
    radius = int(side_px * rng.uniform(0.15, 0.4))
    x, y = (int(value) for value in rng.integers(radius, side_px - radius, 2))
    cv2.circle(image, (x, y), radius, (255, 204, 51), -1, cv2.LINE_AA)
    ink = (90, 55, 20)
    for sign in (-1, 1):
        eye = (x + sign * radius // 3, y - radius // 4)
        cv2.ellipse(image, eye, (radius // 10, int(radius * rng.uniform(0.1, 0.18))), 0, 0, 360, ink, -1, cv2.LINE_AA)
    mouth, size = (x, y + radius // 5), (radius // 2, int(radius * rng.uniform(0.2, 0.4)))
    kind = rng.integers(3)  # a smile, a frown, an open mouth
    start, end = ((10, 170), (190, 350), (0, 360))[kind]
    filled = -1 if kind == 2 else max(2, radius // 16)
    cv2.ellipse(
        image, mouth, size if kind < 2 else (radius // 5, size[1] // 2), 0, start, end, ink, filled, cv2.LINE_AA
    )
    return image


def _put_stars(image: np.ndarray, x: np.ndarray, y: np.ndarray, rng: np.random.Generator, bright: float) -> None:
    side = image.shape[0]
    inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
    light = bright * rng.exponential(90, (len(x), 1)) * rng.uniform(0.8, 1.0, (len(x), 3))
    np.add.at(image, (y[inside].astype(int), x[inside].astype(int)), light[inside].astype(np.float32))

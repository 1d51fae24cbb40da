"""Scenes of the moving shapes dataset: the content of each class, and how it is drawn."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_COLORS = {
    "red": (215, 60, 50),
    "yellow": (225, 200, 50),
    "green": (60, 175, 75),
    "blue": (60, 90, 215),
}
_APPEARANCES = (
    ("red", "circle"),
    ("yellow", "triangle"),
    ("green", "square"),
    ("blue", "circle"),
)
_DIRECTIONS = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}


class Scene(NamedTuple):
    """One video's content; lengths in fractions of the frame's side, motion per whole video."""

    shape: str
    color: tuple[int, int, int]
    radius: float
    start: np.ndarray
    motion: np.ndarray
    bystander: tuple[str, int, float, np.ndarray]
    background: np.ndarray


def _appearance_scene(label, key, size):
    generator = np.random.default_rng([*key, label])
    color, shape = _APPEARANCES[label]
    direction = generator.uniform(0, 2 * np.pi)
    axis = np.array([np.sin(direction), np.cos(direction)])
    return _scene(generator, size, shape, _COLORS[color], axis), False


def _order_scene(label, key, size):
    """Labels 2k and 2k + 1 are a motion and its reverse, with the same frames."""
    generator = np.random.default_rng([*key, label // 2])
    shape = str(generator.choice(_SHAPES))
    color = _COLORS[str(generator.choice(list(_COLORS)))]
    axis = np.array(list(_DIRECTIONS.values())[label - label % 2], float)
    return _scene(generator, size, shape, color, axis), bool(label % 2)


def _scene(generator, size, shape, color, axis):
    radius = generator.uniform(0.17, 0.25)
    motion = axis * generator.uniform(0.4, 0.6)
    center = generator.uniform(0.4, 0.6, 2)
    start = np.clip(center - motion / 2, radius / 2, 1 - radius / 2)
    brightness = generator.uniform(0.8, 1.15)
    bystander = (
        str(generator.choice(_SHAPES)),
        int(generator.integers(40, 200)),
        generator.uniform(0.05, 0.1),
        generator.uniform(0.1, 0.9, 2),
    )
    painted = tuple(int(min(255, channel * brightness)) for channel in color)
    background = _background(generator, size)
    return Scene(shape, painted, radius, start, motion, bystander, background)


def _background(generator, size):
    """A soft gradient between two dull colors, with grain."""
    first, second = generator.uniform(60, 190, (2, 3)) * 0.5 + generator.uniform(30, 90, (2, 1))
    angle = generator.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    weight = 0.5 + 0.7 * (rows * np.sin(angle) + columns * np.cos(angle))
    grain = generator.normal(0, 4, (size, size, 1))
    return (first + (second - first) * weight[..., None] + grain).astype(np.float32)


def draw(scene, frames, size):
    """The frames of a scene.

    Returns:
        uint8 array `(frames, size, size, 3)`, RGB.
    """
    shape, gray, radius, place = scene.bystander
    ground = _paint(scene.background, shape, np.full(3, gray), radius, place)
    images = [
        _paint(ground, scene.shape, np.array(scene.color), scene.radius, scene.start + move)
        for move in np.linspace(0, 1, frames)[:, None] * scene.motion
    ]
    return np.clip(np.stack(images), 0, 255).astype(np.uint8)


def _paint(image, shape, color, radius, center):
    """`image` with a filled shape; the edge is one pixel soft, so that motion is smooth."""
    size = len(image)
    rows, columns = np.ogrid[:size, :size]
    down, right = (rows + 0.5) / size - center[0], (columns + 0.5) / size - center[1]
    cover = np.clip(_DISTANCE[shape](down, right, radius) * size + 0.5, 0, 1)[..., None]
    return image + cover.astype(np.float32) * (color.astype(np.float32) - image)


def _triangle(down, right, radius):
    """Depth inside an equilateral triangle that points up; its corners are at 1.2 radii."""
    sides = np.abs(right) * np.sqrt(0.75) - down * 0.5
    return 0.6 * radius - np.maximum(sides, down)


_DISTANCE: dict[str, Callable] = {
    "circle": lambda down, right, radius: radius - np.hypot(down, right),
    "square": lambda down, right, radius: radius * 0.88 - np.maximum(np.abs(down), np.abs(right)),
    "triangle": _triangle,
}


_SHAPES = tuple(_DISTANCE)


class Task(NamedTuple):
    """The classes of a dataset, and the scene of each video.

    `scene(label, key, size)` returns a `Scene` and whether its frames are reversed; `key` is a
    tuple of integers that identifies the video.
    """

    class_names: tuple[str, ...]
    scene: Callable


TASKS = {
    "appearance": Task(tuple("_".join(look) for look in _APPEARANCES), _appearance_scene),
    "order": Task(tuple(_DIRECTIONS), _order_scene),
}

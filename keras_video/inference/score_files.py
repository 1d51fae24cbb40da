"""Score files: a model's scores for every video of a list, for fusion with other models'."""

import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_video import atomic


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of a list of videos.

    Attributes:
        names: names of the videos, spelled as in their annotation list.
        scores: float32 `(videos, classes)`, probabilities or logits; `(videos, 1)` for a
            single output that separates two classes.
        labels: int64 class indices `(videos,)`, multi-hot float32 `(videos, classes)`, or `None`
            if unknown.
        class_names: a name per class, or `None`; for a single output, one or two names.
        source: the file the scores were read from, for messages.

    Raises:
        ValueError: if the shapes do not match.
    """

    names: tuple[str, ...]
    scores: np.ndarray
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    source: str = "scores"

    def __post_init__(self):
        if self.scores.ndim != 2 or len(self.scores) != len(self.names) or not self.names:
            raise ValueError(
                f"{self.source}: received {len(self.names)} names and scores of shape "
                f"{self.scores.shape}, expected (videos, classes) with a name per video"
            )
        if self.labels is not None and self.labels.shape not in (
            self.scores.shape,
            self.scores.shape[:1],
        ):
            raise ValueError(
                f"{self.source}: received labels of shape {self.labels.shape} for scores of shape "
                f"{self.scores.shape}, expected a class index, or a number per class, per video"
            )
        classes = self.scores.shape[1]
        valid_counts = (1, 2) if classes == 1 else (classes,)
        if self.class_names is not None and len(self.class_names) not in valid_counts:
            raise ValueError(
                f"{self.source}: received {len(self.class_names)} class names, expected {classes}"
            )


def write_scores(path, names, scores, labels=None, class_names=None):
    """Writes a score file: an `.npz` archive of the arrays of `Scores`.

    Args:
        path: the file; it appears only once it is complete.
        names, scores, labels, class_names: see `Scores`.

    Raises:
        ValueError: if the shapes do not match, or the path does not end in `.npz`.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"received the score file {path}, expected a name that ends in .npz")
    content = _scores(names, scores, labels, class_names, str(path))
    arrays = {"names": np.array(content.names), "scores": content.scores}
    if content.labels is not None:
        arrays["labels"] = content.labels
    if content.class_names is not None:
        arrays["class_names"] = np.array(content.class_names)
    with atomic.atomic_path(path) as part:
        np.savez_compressed(part, **arrays)


def read_scores(path):
    """Reads a score file written by `write_scores`.

    Returns:
        `Scores`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is not a score file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"received {path}, expected an existing score file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: expected a score file (.npz): {error}") from error
    missing = {"names", "scores"} - set(arrays)
    if missing:
        raise ValueError(
            f"{path}: received arrays {sorted(arrays)}, expected also {sorted(missing)}"
        )
    return _scores(
        arrays["names"].tolist(),
        arrays["scores"],
        arrays.get("labels"),
        arrays["class_names"].tolist() if "class_names" in arrays else None,
        str(path),
    )


def fuse_scores(
    parts: Sequence[Scores],
    coefficients: Sequence[float] | None = None,
    *,
    softmax: bool = False,
    name: Callable[[str], str] = str,
) -> Scores:
    """The weighted sum of several models' scores, video by video.

    For models with a single output it is the weighted mean, so that 0.5 keeps its meaning.

    Args:
        parts: scores of the same videos, in any order.
        coefficients: a factor per part; all 1 if not given.
        softmax: turn each part's scores into probabilities first; a sigmoid is used for a
            single output.
        name: function from a video's name to the key that must agree in all parts, for instance
            its stem.

    Returns:
        `Scores` in the order of the first part, with the labels of the parts that have them.

    Raises:
        ValueError: naming the file, if videos are missing or occur twice, or if classes, class
            names or labels differ, or scores are not finite; if there is not a coefficient per
            part, or those of models with a single output sum to 0.
    """
    coefficients = [1.0] * len(parts) if coefficients is None else list(coefficients)
    if not parts or len(parts) != len(coefficients):
        raise ValueError(
            f"received {len(parts)} parts and coefficients {coefficients}, expected at least one "
            "part and a coefficient for each"
        )
    first = parts[0]
    if first.scores.shape[1] == 1 and sum(coefficients) == 0:
        raise ValueError(
            f"received coefficients {coefficients}, whose sum is 0; expected another sum for the "
            "weighted mean of single outputs"
        )
    total = np.zeros(first.scores.shape, np.float64)
    labels, class_names = None, None
    for part, coefficient in zip(parts, coefficients, strict=True):
        order = _order(first, part, name)
        total += coefficient * _values(part, first.scores.shape[1], softmax)[order]
        if part.labels is not None:
            labels = _same_labels(labels, part, part.labels[order], first.names)
        class_names = _same_class_names(class_names, part)
    if total.shape[1] == 1:
        total /= sum(coefficients)
    return Scores(first.names, total.astype(np.float32), labels, class_names, "the fused scores")


def _scores(names, scores, labels, class_names, source):
    """Builds `Scores` from array-likes."""
    if labels is not None:
        labels = np.asarray(labels)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        labels = labels.astype(np.int64 if labels.ndim == 1 else np.float32)
    return Scores(
        tuple(str(name) for name in names),
        np.asarray(scores, np.float32),
        labels,
        None if class_names is None else tuple(str(name) for name in class_names),
        source,
    )


def _order(first, part, name):
    """The positions in `part` of the videos of `first`."""
    positions = {name(video): position for position, video in enumerate(part.names)}
    if len(positions) < len(part.names):
        duplicate = Counter(name(video) for video in part.names).most_common(1)[0][0]
        raise ValueError(f"{part.source}: received the video {duplicate!r} twice, expected it once")
    expected = {name(video): None for video in first.names}
    for missing, source, reference in (
        ([key for key in expected if key not in positions], part.source, first.source),
        ([key for key in positions if key not in expected], first.source, part.source),
    ):
        if missing:
            listed = ", ".join(repr(key) for key in missing[:5])
            more = ", ..." if len(missing) > 5 else ""
            raise ValueError(
                f"{source}: {len(missing)} videos of {reference} are missing: {listed}{more}"
            )
    return [positions[key] for key in expected]


def _values(part, classes, softmax):
    if part.scores.shape[1] != classes:
        raise ValueError(
            f"{part.source}: received scores of {part.scores.shape[1]} classes, expected {classes} "
            "as in the first file"
        )
    finite = np.isfinite(part.scores).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{part.source}: the scores of {part.names[int(finite.argmin())]!r} are not finite"
        )
    values = part.scores.astype(np.float64)
    if not softmax:
        return values
    if classes == 1:
        return 0.5 * (1.0 + np.tanh(0.5 * values))
    exponentials = np.exp(values - values.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _same_labels(known, part, labels, names):
    if known is None:
        return labels
    if known.shape != labels.shape:
        raise ValueError(
            f"{part.source}: received labels of shape {labels.shape}, expected {known.shape} as in "
            "the previous files"
        )
    differ = np.flatnonzero((known != labels).reshape(len(labels), -1).any(axis=1))
    if differ.size:
        index = int(differ[0])
        raise ValueError(
            f"{part.source}: received label {labels[index]} for {names[index]!r}, expected "
            f"{known[index]} as in the previous files"
        )
    return labels


def _same_class_names(known, part):
    if known is None or part.class_names is None:
        return part.class_names if known is None else known
    for index, (expected, received) in enumerate(zip(known, part.class_names, strict=True)):
        if expected != received:
            raise ValueError(
                f"{part.source}: received the name {received!r} for class {index}, expected "
                f"{expected!r} as in the previous files"
            )
    return known

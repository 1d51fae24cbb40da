"""Files of scores: what a model said of every video of a list, to be fused with others."""

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
        names: of the videos, as their annotation list spells them.
        scores: float32 `(videos, classes)`, probabilities or logits; `(videos, 1)` of one output
            that tells two classes apart.
        labels: int64 class indices `(videos,)`, multi-hot float32 `(videos, classes)`, or `None`
            where they are unknown.
        class_names: a name per class, or `None`; for one output one or two.
        source: the file they were read from, for messages.

    Raises:
        ValueError: if the shapes do not belong together.
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
        fitting = (1, 2) if classes == 1 else (classes,)
        if self.class_names is not None and len(self.class_names) not in fitting:
            raise ValueError(
                f"{self.source}: received {len(self.class_names)} class names, expected {classes}"
            )


def write_scores(path, names, scores, labels=None, class_names=None):
    """Writes a score file: an `.npz` archive of the arrays that `Scores` names.

    Args:
        path: the file; it appears only when it is complete.
        names, scores, labels, class_names: see `Scores`.

    Raises:
        ValueError: if the shapes do not belong together, or the path does not end in `.npz`.
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
    """Reads a file of `write_scores`.

    Returns:
        `Scores`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: naming the file, if it is not a score file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"received {path}, expected a score file; there is none")
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

    Of models of one output it is the weighted mean, so that 0.5 keeps its meaning.

    Args:
        parts: scores of the same videos, in any order.
        coefficients: a factor per part; all 1 if not given.
        softmax: turn each part's scores into probabilities first; with a sigmoid for one output.
        name: what of a video's name must be the same in all parts, for instance its stem.

    Returns:
        `Scores` in the order of the first part, with the labels of the parts that have them.

    Raises:
        ValueError: naming the file, if videos are missing or occur twice, or if classes, class
            names or labels differ, or scores are not finite.
    """
    coefficients = [1.0] * len(parts) if coefficients is None else list(coefficients)
    if not parts or len(parts) != len(coefficients):
        raise ValueError(
            f"received {len(parts)} parts and coefficients {coefficients}, expected at least one "
            "part and a coefficient for each"
        )
    first = parts[0]
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
    """`Scores` of array-likes."""
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
    """Where the videos of `first` stand in `part`."""
    places = {name(found): place for place, found in enumerate(part.names)}
    if len(places) < len(part.names):
        twice = Counter(name(found) for found in part.names).most_common(1)[0][0]
        raise ValueError(f"{part.source}: received the video {twice!r} twice, expected it once")
    wanted = {name(found): None for found in first.names}
    for missing, here, there in (
        ([key for key in wanted if key not in places], part.source, first.source),
        ([key for key in places if key not in wanted], first.source, part.source),
    ):
        if missing:
            shown = ", ".join(repr(key) for key in missing[:5])
            more = ", ..." if len(missing) > 5 else ""
            raise ValueError(f"{here}: {len(missing)} videos of {there} are missing: {shown}{more}")
    return [places[key] for key in wanted]


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
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _same_labels(known, part, labels, names):
    if known is None:
        return labels
    if known.shape != labels.shape:
        raise ValueError(
            f"{part.source}: received labels of shape {labels.shape}, expected {known.shape} as in "
            "the files before"
        )
    differ = np.flatnonzero((known != labels).reshape(len(labels), -1).any(axis=1))
    if differ.size:
        place = int(differ[0])
        raise ValueError(
            f"{part.source}: received label {labels[place]} for {names[place]!r}, expected "
            f"{known[place]} as in the files before"
        )
    return labels


def _same_class_names(known, part):
    if known is None or part.class_names is None:
        return part.class_names if known is None else known
    for index, (expected, found) in enumerate(zip(known, part.class_names, strict=True)):
        if expected != found:
            raise ValueError(
                f"{part.source}: received the name {found!r} for class {index}, expected "
                f"{expected!r} as in the files before"
            )
    return known

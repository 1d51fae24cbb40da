"""What a probe has come to: accuracy with its interval, confusion, doubtful labels."""

import csv
import io
import json
import math
from dataclasses import dataclass

import numpy as np

from keras_video.data.annotations.records import printable

# Of a normal distribution: 95 % lie within so many deviations.
_NORMAL = 1.959964
_SHOWN = 10
# From this share of doubtful labels on, the features hardly tell the classes apart.
_MANY = 0.2


@dataclass(frozen=True)
class Suspect:
    """A video whose label is probably wrong.

    Attributes:
        path: the video.
        label: name of the class that it is labeled with.
        suggested: name of the class that it looks like.
        label_score, suggested_score: probabilities of both, from heads that did not see the video.
    """

    path: str
    label: str
    suggested: str
    label_score: float
    suggested_score: float


@dataclass(frozen=True, eq=False)
class ProbeReport:
    """How well videos are told apart by a head that did not see them.

    Attributes:
        accuracy: share of the videos whose class is right.
        interval: (low, high), the 95 % confidence interval of the accuracy (Wilson's).
        mean_class_accuracy: mean over the classes that have videos.
        confusion: int64 `(classes, classes)`, rows true classes.
        class_names: names of the classes.
        suspects: videos that are probably mislabeled, the most doubtful first, a tuple of
            `Suspect`.
    """

    accuracy: float
    interval: tuple[float, float]
    mean_class_accuracy: float
    confusion: np.ndarray
    class_names: tuple[str, ...]
    suspects: tuple[Suspect, ...] = ()

    @property
    def videos(self):
        """How many videos were scored."""
        return int(self.confusion.sum())

    def facts(self):
        """The report as JSON values."""
        return {
            "videos": self.videos,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "mean_class_accuracy": self.mean_class_accuracy,
            "class_names": list(self.class_names),
            "confusion": self.confusion.tolist(),
            "suspects": [vars(one) for one in self.suspects],
        }

    def text(self):
        """The report for a person, several lines."""
        low, high = self.interval
        lines = [
            f"accuracy {self.accuracy:.1%} of {self.videos} videos "
            f"(95 % interval {low:.1%} to {high:.1%})",
            f"mean class accuracy {self.mean_class_accuracy:.1%}",
            "",
            *_confusion_lines(self.confusion, self.class_names),
        ]
        if self.suspects:
            lines += ["", f"{len(self.suspects)} videos are probably mislabeled:"]
        for one in self.suspects[:_SHOWN]:
            lines.append(
                f"  {printable(one.path)}: {printable(one.label)} ({one.label_score:.2f}), looks "
                f"like {printable(one.suggested)} ({one.suggested_score:.2f})"
            )
        if len(self.suspects) > _SHOWN:
            lines.append(f"  and {len(self.suspects) - _SHOWN} more")
        if len(self.suspects) > _MANY * self.videos:
            lines.append("  So many doubts say more of the features than of the labels.")
        return "\n".join(lines)

    def suspects_csv(self):
        """The doubtful labels as text of a CSV file."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["video", "label", "suggested", "label_score", "suggested_score"])
        for one in self.suspects:
            scores = f"{one.label_score:.4f}", f"{one.suggested_score:.4f}"
            writer.writerow([one.path, one.label, one.suggested, *scores])
        return text.getvalue()


def report_of(scores, labels, class_names, paths):
    """The `ProbeReport` of videos.

    Args:
        scores: probabilities `(videos, classes)`, from heads that did not see the videos.
        labels: class indices `(videos,)`.
        class_names: names of the classes.
        paths: of the videos.
    """
    labels, predicted = np.asarray(labels), scores.argmax(1)
    confusion = np.zeros((len(class_names),) * 2, np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    counts = confusion.sum(1)
    per_class = confusion.diagonal()[counts > 0] / counts[counts > 0]
    right = int(confusion.trace())
    return ProbeReport(
        accuracy=right / len(labels),
        interval=wilson_interval(right, len(labels)),
        mean_class_accuracy=float(per_class.mean()),
        confusion=confusion,
        class_names=tuple(class_names),
        suspects=find_suspects(scores, labels, class_names, paths),
    )


def wilson_interval(right, count):
    """The 95 % confidence interval of a share (Wilson, 1927)."""
    share, square = right / count, _NORMAL**2
    center = (share + square / (2 * count)) / (1 + square / count)
    spread = math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    half = _NORMAL * spread / (1 + square / count)
    return max(0.0, center - half), min(1.0, center + half)


def find_suspects(scores, labels, class_names, paths):
    """Videos that are probably mislabeled, by confident learning (arXiv:1911.00068).

    A class is confidently seen in a video where its probability reaches the mean of those that
    videos with this label have. A label is doubtful where another class is confidently seen, and
    is more probable than the label's own.
    """
    own = scores[np.arange(len(labels)), labels]
    thresholds = np.array(
        [own[labels == label].mean() if (labels == label).any() else np.inf
         for label in range(len(class_names))]
    )  # fmt: skip
    seen = (scores >= thresholds) & (scores > own[:, None])
    best = np.where(seen, scores, -1.0).argmax(1)
    doubtful = np.flatnonzero(seen.any(1))
    order = doubtful[np.argsort(own[doubtful] - scores[doubtful, best[doubtful]], kind="stable")]
    return tuple(
        Suspect(
            str(paths[index]),
            class_names[labels[index]],
            class_names[best[index]],
            float(own[index]),
            float(scores[index, best[index]]),
        )
        for index in order
    )


def _confusion_lines(counts, names, most=20):
    if len(names) > most:
        return [f"The confusion of {len(names)} classes is in the report's file."]
    shown = [printable(name)[:24] for name in names]
    width = max(len("true class"), *(len(name) for name in shown))
    cell = max(5, len(str(counts.max())) + 1)
    head = "".join(f"{number:>{cell}}" for number in range(len(names)))
    lines = [f"{'true class':{width}}    {head}   (columns: predicted class)"]
    for number, (name, row) in enumerate(zip(shown, counts, strict=True)):
        cells = "".join(f"{count:>{cell}}" for count in row)
        lines.append(f"{name:{width}} {number:>2} {cells}")
    return lines


def report_json(facts):
    """JSON text of a report."""
    return json.dumps(facts, indent=2, ensure_ascii=True) + "\n"

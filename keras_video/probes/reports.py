"""Report of a probe: accuracy with confidence interval, confusion matrix, suspect labels."""

import csv
import io
import json
import math
from dataclasses import dataclass

import numpy as np

from keras_video.data.annotations.records import printable

# 95 % of a normal distribution lie within this number of standard deviations.
_NORMAL = 1.959964
_SHOWN = 10
# Above this fraction of suspect labels, the features hardly separate the classes.
_MANY = 0.2


@dataclass(frozen=True)
class Suspect:
    """A video whose label is probably wrong.

    Attributes:
        path: the video.
        label: name of its labeled class.
        suggested: name of the class that it looks like.
        label_score, suggested_score: probabilities of both, from heads not trained on the video.
    """

    path: str
    label: str
    suggested: str
    label_score: float
    suggested_score: float


@dataclass(frozen=True, eq=False)
class ProbeReport:
    """Evaluation of heads on videos that they were not trained on.

    Attributes:
        accuracy: fraction of correctly classified videos.
        interval: (low, high), the 95 % confidence interval of the accuracy (Wilson's).
        mean_class_accuracy: mean over the classes that have videos.
        confusion: int64 `(classes, classes)`; rows are true classes.
        class_names: names of the classes.
        suspects: probably mislabeled videos, the most suspect first, a tuple of `Suspect`.
    """

    accuracy: float
    interval: tuple[float, float]
    mean_class_accuracy: float
    confusion: np.ndarray
    class_names: tuple[str, ...]
    suspects: tuple[Suspect, ...] = ()

    @property
    def videos(self):
        """Number of scored videos."""
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
            "suspects": [vars(suspect) for suspect in self.suspects],
        }

    def text(self):
        """The report as text of several lines."""
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
        for suspect in self.suspects[:_SHOWN]:
            lines.append(
                f"  {printable(suspect.path)}: {printable(suspect.label)} "
                f"({suspect.label_score:.2f}), looks like {printable(suspect.suggested)} "
                f"({suspect.suggested_score:.2f})"
            )
        if len(self.suspects) > _SHOWN:
            lines.append(f"  and {len(self.suspects) - _SHOWN} more")
        if len(self.suspects) > _MANY * self.videos:
            lines.append("  This many suspects reflect on the features rather than the labels.")
        return "\n".join(lines)

    def suspects_csv(self):
        """The suspect labels as CSV text."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["video", "label", "suggested", "label_score", "suggested_score"])
        for suspect in self.suspects:
            scores = f"{suspect.label_score:.4f}", f"{suspect.suggested_score:.4f}"
            writer.writerow([suspect.path, suspect.label, suspect.suggested, *scores])
        return text.getvalue()


def report_of(scores, labels, class_names, paths):
    """The `ProbeReport` of videos.

    Args:
        scores: probabilities `(videos, classes)`, from heads not trained on the videos.
        labels: class indices `(videos,)`.
        class_names: names of the classes.
        paths: paths of the videos.
    """
    labels, predicted = np.asarray(labels), scores.argmax(1)
    confusion = np.zeros((len(class_names),) * 2, np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    counts = confusion.sum(1)
    per_class = confusion.diagonal()[counts > 0] / counts[counts > 0]
    correct = int(confusion.trace())
    return ProbeReport(
        accuracy=correct / len(labels),
        interval=wilson_interval(correct, len(labels)),
        mean_class_accuracy=float(per_class.mean()),
        confusion=confusion,
        class_names=tuple(class_names),
        suspects=find_suspects(scores, labels, class_names, paths),
    )


def wilson_interval(correct, count):
    """The 95 % confidence interval of a proportion (Wilson, 1927)."""
    proportion, square = correct / count, _NORMAL**2
    center = (proportion + square / (2 * count)) / (1 + square / count)
    spread = math.sqrt(proportion * (1 - proportion) / count + square / (4 * count**2))
    half = _NORMAL * spread / (1 + square / count)
    return max(0.0, center - half), min(1.0, center + half)


def find_suspects(scores, labels, class_names, paths):
    """Videos that are probably mislabeled, by confident learning (arXiv:1911.00068).

    A class is confident for a video if its probability reaches the mean of the probabilities of
    that class over the videos labeled with it. A label is suspect if another class is confident
    and more probable than the labeled one.
    """
    own = scores[np.arange(len(labels)), labels]
    thresholds = np.array(
        [own[labels == label].mean() if (labels == label).any() else np.inf
         for label in range(len(class_names))]
    )  # fmt: skip
    confident = (scores >= thresholds) & (scores > own[:, None])
    best = np.where(confident, scores, -1.0).argmax(1)
    suspect = np.flatnonzero(confident.any(1))
    order = suspect[np.argsort(own[suspect] - scores[suspect, best[suspect]], kind="stable")]
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

"""How far the scores of an exported file are from those of its model."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_video.inference.exported import load_exported, read_metadata
from keras_video.inference.graph import PIXELS
from keras_video.inference.pixel_input import pixel_input
from keras_video.inference.quantization import fixed_batches


@dataclass(frozen=True)
class Agreement:
    """Agreement of an exported file with its model.

    Attributes:
        clips: number of clips compared.
        top1_agreement: fraction of clips with the same top class.
        largest_difference: largest absolute difference of any score.
        largest_score: largest absolute score of the model.
        accuracy, reference_accuracy: top-1 of the file and the model; `None` without labels.
    """

    clips: int
    top1_agreement: float
    largest_difference: float
    largest_score: float
    accuracy: float | None = None
    reference_accuracy: float | None = None

    def __str__(self):
        text = (
            f"{self.clips} clips: same top class in {self.top1_agreement:.1%}, largest score "
            f"difference {self.largest_difference:.1e} (scores up to {self.largest_score:.3g})"
        )
        if self.accuracy is None:
            return text
        return f"{text}, top-1 {self.accuracy:.1%} (model {self.reference_accuracy:.1%})"


def compare_exported(path, reference, dataset):
    """Compares an exported file with its source model on the same clips.

    Args:
        path: a file of `export_model`.
        reference: the Keras model, or the path of another exported file with the same inputs, such
            as the one without quantization. Frames for a Keras model are preprocessed by
            `keras_video.data`.
        dataset: batches of the file's inputs, clips or `(clips, labels)`, labels as class indices
            or one number per class. Test views count as clips.

    Returns:
        An `Agreement`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for an empty dataset or clips that do not fit the file.
    """
    facts = read_metadata(path)
    run, expected = load_exported(path), _reference(reference, facts)
    specs = {name: _Spec(**spec) for name, spec in facts["inputs"].items()}
    size = next(iter(specs.values())).shape[0]
    scores, reference_scores, classes = [], [], []
    for arrays, labels, count in fixed_batches(dataset, specs, size or _BATCH):
        scores.append(_first(run(arrays))[:count])
        reference_scores.append(_first(expected(arrays))[:count])
        classes += [] if labels is None else [_indices(labels)]
    scores, reference_scores = np.concatenate(scores), np.concatenate(reference_scores)
    best, reference_best = scores.argmax(-1), reference_scores.argmax(-1)
    labeled = sum(map(len, classes))
    if labeled not in (0, len(scores)):
        raise ValueError(
            f"received labels for {labeled} of {len(scores)} clips, "
            "expected labels for all or none."
        )
    labels = np.concatenate(classes) if classes else None
    return Agreement(
        clips=len(scores),
        top1_agreement=float((best == reference_best).mean()),
        largest_difference=float(np.abs(scores - reference_scores).max()),
        largest_score=float(np.abs(reference_scores).max()),
        accuracy=None if labels is None else float((best == labels).mean()),
        reference_accuracy=None if labels is None else float((reference_best == labels).mean()),
    )


# Clips per batch for files with a dynamic batch size.
_BATCH = 8


@dataclass(frozen=True)
class _Spec:
    shape: list
    dtype: str


def _reference(reference, facts):
    """A function from named inputs to the scores of a model or file."""
    if not isinstance(reference, keras.Model):
        if not isinstance(reference, str | Path):
            raise ValueError(
                f"reference={reference!r}: expected a Keras model or the path of an exported file."
            )
        return load_exported(reference)
    if PIXELS in facts["inputs"]:
        in_graph = facts["in_graph"]
        frame_size = tuple(facts["inputs"][PIXELS]["shape"][2:4])
        cut = in_graph["resize"] or in_graph["center_crop"]
        pixels = pixel_input(reference, frame_size if cut or None in frame_size else None)
        return lambda arrays: reference.predict_on_batch(pixels.in_python(arrays[PIXELS]))
    single = len(reference.inputs) == 1

    def predict(arrays):
        return reference.predict_on_batch(next(iter(arrays.values())) if single else arrays)

    return predict


def _first(outputs):
    return np.asarray(outputs[0] if isinstance(outputs, list | tuple) else outputs)


def _indices(labels):
    return labels.argmax(-1) if labels.ndim > 1 else labels

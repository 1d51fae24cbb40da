"""Batches of features and targets for a span detector."""

import math
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from keras_video.data.sampling import check_whole
from keras_video.data.spans.records import SpanRecord
from keras_video.inference.feature_windows import WindowFeatures
from keras_video.training.span_labels import span_targets

# A span is a target of a part of a video only if more than this fraction of it is in the part.
_MIN_FRACTION = 0.5


class SpanSequences(keras.utils.PyDataset):
    """Features of long videos and the targets of a detector, for `model.fit`.

    A video longer than `length` is cropped: in training to a random part, drawn again in every
    epoch; otherwise to its first part. Training also crops up to a tenth from the start of a
    shorter video at random, so that a detector does not learn absolute positions.

    Args:
        features: `{video: WindowFeatures}`, for every record.
        records: from `read_spans`.
        length: features of a sequence, a multiple of `stride`.
        batch_size: videos of a batch.
        stride: of the coarsest level of the detector's pyramid.
        training: whether parts and order are random.
        seed: of all random draws.

    Raises:
        ValueError: for a record without features, no records, or invalid lengths.
    """

    def __init__(
        self,
        features: Mapping[str, WindowFeatures],
        records: Sequence[SpanRecord],
        length: int,
        *,
        batch_size: int = 8,
        stride: int = 32,
        training: bool = True,
        seed: int = 0,
    ):
        super().__init__()
        check_whole("batch_size", batch_size, 1)
        check_whole("length", length, 1)
        check_whole("seed", seed, 0)
        missing = [record.video for record in records if record.video not in features]
        if missing or not records:
            raise ValueError(
                f"received no features of {missing[0]}, expected those of every video"
                if missing
                else "received no records, expected some"
            )
        if length % stride:
            raise ValueError(f"received length={length}, expected a multiple of stride={stride}")
        self._features, self._records = features, list(records)
        self._length, self._stride, self._batch_size = length, stride, batch_size
        self._training, self._seed, self._epoch = training, seed, 0
        self._classes = {name: index for index, name in enumerate(self._records[0].classes)}

    def __len__(self):
        return math.ceil(len(self._records) / self._batch_size)

    def on_epoch_end(self):
        self._epoch += 1

    def __getitem__(self, batch):
        order = np.arange(len(self._records))
        if self._training:
            order = np.random.default_rng([self._seed, self._epoch]).permutation(order)
        chosen = order[batch * self._batch_size : (batch + 1) * self._batch_size]
        examples = [self._example(int(index)) for index in chosen]
        x = np.stack([features for features, _ in examples])
        keys = ("classes", "offsets")
        return x, {key: np.stack([targets[key] for _, targets in examples]) for key in keys}

    def _example(self, index):
        record = self._records[index]
        windows = self._features[record.video]
        first, last = self._part(index, len(windows.features))
        rows = windows.features[first:last]
        x = np.pad(rows, ((0, self._length - len(rows)), (0, 0))).astype("float32")
        spans = []
        for span in record.spans:
            start, end = windows.positions([span.start, span.end])
            inner = (max(start, first - 0.5), min(end, last - 0.5))
            if inner[1] - inner[0] > _MIN_FRACTION * (end - start):
                spans.append((self._classes[span.label], inner[0] - first, inner[1] - first))
        targets = span_targets(
            spans,
            self._length,
            classes=len(self._classes),
            stride=self._stride,
            valid=len(rows),
        )
        return x, targets

    def _part(self, index, count):
        """Start and end (exclusive) of the part of a video, in features."""
        if not self._training:
            return 0, min(count, self._length)
        rng = np.random.default_rng([self._seed, self._epoch, index])
        first = int(rng.integers(max(count - self._length, count // 10) + 1))
        return first, min(count, first + self._length)

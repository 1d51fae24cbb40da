"""Batches of features and targets for a detector of spans."""

import math
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from keras_video.data.sampling import check_whole
from keras_video.data.spans.records import SpanRecord
from keras_video.inference.feature_windows import WindowFeatures
from keras_video.training.span_labels import span_targets

# Spans of which a part of a video has less than this share are not learned there.
_LEAST_SHARE = 0.5


class SpanSequences(keras.utils.PyDataset):
    """Features of long videos and what a detector learns of them, for `model.fit`.

    A video that is longer than `length` is seen in parts: in training one part, drawn anew in every
    epoch; otherwise its first. Training draws also where a shorter video begins, by up to a tenth
    of it, so that a detector does not learn places.

    Args:
        features: `{video: WindowFeatures}`, for every record.
        records: what `read_spans` gives.
        length: features of a sequence, a multiple of `stride`.
        batch_size: videos of a batch.
        stride: of the coarsest level of the detector's pyramid.
        training: whether parts and order are drawn.
        seed: of all draws.

    Raises:
        ValueError: a record without features, no records, or lengths that do not fit.
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
        missing = [one.video for one in records if one.video not in features]
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
        found = self._features[record.video]
        first, last = self._part(index, len(found.features))
        rows = found.features[first:last]
        x = np.pad(rows, ((0, self._length - len(rows)), (0, 0))).astype("float32")
        spans = []
        for span in record.spans:
            start, end = found.positions([span.start, span.end])
            inner = (max(start, first - 0.5), min(end, last - 0.5))
            if inner[1] - inner[0] > _LEAST_SHARE * (end - start):
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
        """The first feature of the part of a video, and the one behind its last."""
        if not self._training:
            return 0, min(count, self._length)
        rng = np.random.default_rng([self._seed, self._epoch, index])
        first = int(rng.integers(max(count - self._length, count // 10) + 1))
        return first, min(count, first + self._length)

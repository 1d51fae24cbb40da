"""Sampling and reading of clips: from the record of an example to the frames of its clips."""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from ..annotations.parsing import Record, check_labels, read_annotations
from ..annotations.records import is_json
from ..annotations.shards import check_source, list_of
from ..decoding.videos import DecodeError
from ..sampling import check_whole
from ..sources.videos import Source, Videos
from ..transforms.decode_crop import DecodeCrop
from .report import DecodeReport

OnError = Literal["raise", "skip", "replace"]
# Marks classes in multi-hot labels that were not annotated.
UNKNOWN = -1
# Enough for training to continue even if most of the files are bad.
_REPLACEMENTS = 50
_NO_PLAN = np.zeros(6, np.int32)


class Example(NamedTuple):
    """An example that was read.

    Attributes:
        frames: the output of the source; for videos uint8 `(frames, height, width, 3)`, with the
            frames of all clips concatenated.
        label: int32 class index, or float32 `(classes,)`: 1 for the classes of the record, 0 for
            others, -1 for classes that were not annotated (see `Record.annotated`).
        seed: int32 `(2,)`, the seed of the random clip transforms.
        decoded: False if there are no frames because the video failed to decode.
        attempt: 0 for the requested record, n for its n-th replacement.
        plan: int32 `(6,)`, the plan of the reader's `crop` for the frames, if it has one.
    """

    frames: np.ndarray
    label: np.ndarray
    seed: np.ndarray
    decoded: np.bool_
    attempt: np.int64 = np.int64(0)
    plan: np.ndarray = _NO_PLAN


@dataclasses.dataclass(frozen=True)
class ClipReader:
    """Reads the clips of an example, which depend only on the epoch and the example's index.

    Args:
        records: the examples.
        sampling: a sampler of `keras_video.data.sampling`.
        training: whether clips are drawn at random, again in every epoch.
        seed: seed of all random draws.
        classes: length of multi-hot labels; None gives class indices.
        on_error: what to do if a video fails to decode: "raise" its `DecodeError`; return an
            example that is not `decoded` ("skip"); read another, drawn at random ("replace").
        report: records the videos that fail to decode.
        source: the source that opens the videos.
        crop: the `DecodeCrop` of a source that `cuts_early`, else None.
    """

    records: Sequence[Record]
    sampling: object
    training: bool
    seed: int
    classes: int | None
    on_error: OnError
    report: DecodeReport
    source: Source = Videos()
    crop: DecodeCrop | None = None

    def order(self, epoch, shuffle):
        """Indices of the examples of an epoch, int64; for a `ClassBalanced` see there."""
        count = len(self.records)
        if not shuffle:
            return np.arange(count)
        # The key makes this draw independent of that of the example with index 0.
        sequence = np.random.SeedSequence([self.seed, int(epoch)], spawn_key=(0,))
        generator = np.random.default_rng(sequence)
        if callable(shuffle):
            return shuffle(self.records, generator)
        return generator.permutation(count)

    @functools.cached_property
    def clips(self):
        """Clips per example, None if that depends on its length, and frames per clip."""
        generator = np.random.default_rng(0)
        shapes = [
            self.sampling(total, training=self.training, rng=generator).shape
            for total in (10_000, 1_000_000)
        ]
        return (shapes[0][0] if shapes[0] == shapes[1] else None), shapes[0][1]

    @property
    def shape(self):
        """Static shape of the frames; None for sizes that depend on the example."""
        return self.source.shape(*self.clips)

    def read(self, epoch, index, attempt=0):
        """Reads the example of a record in an epoch, or its replacements from number `attempt` on.

        Raises:
            DecodeError: naming file and line, see `on_error`.
        """
        while True:
            record, open_record, generator = self.drawn(epoch, index, attempt)
            try:
                example = self.example(record, open_record, generator)
                return example._replace(attempt=np.int64(attempt))
            except DecodeError as error:
                self.failed(error, record, attempt)
            if self.on_error == "skip":
                return self.nothing()
            attempt += 1

    def drawn(self, epoch, index, attempt=0):
        """The record of an example, the function that opens it, and its random generator."""
        # Evaluation reads the same clips in every pass.
        entropy = [self.seed, int(epoch) if self.training else 0, int(index)]
        if attempt:
            generator = np.random.default_rng([*entropy, attempt])
            record = self.records[int(generator.integers(len(self.records)))]
        else:
            generator = np.random.default_rng(entropy)
            record = self.records[int(index) % len(self.records)]
        return record, lambda rng: self.source.open(record, rng), generator

    def failed(self, error, record, attempt=0):
        """Adds the error of a record to the report; raises it if `on_error` requires that."""
        error = _with_line(error, record)
        self.report.add(error.path, error)
        if self.on_error == "raise":
            raise error from error.__cause__
        if attempt >= _REPLACEMENTS:
            reason = f"{error.reason} (and {_REPLACEMENTS} videos drawn as replacements failed)"
            raise type(error)(error.path, reason)

    def example(self, record, open_record, generator):
        """Reads the example of a record, which `open_record(generator)` opens."""
        seed = generator.integers(0, 2**31 - 1, 2, dtype=np.int32)
        try:
            opened = open_record(generator)
            frames, plan = self._frames(record, opened, generator, seed)
        except (DecodeError, MemoryError):
            raise
        except Exception as error:
            # Sources may be user-defined: report any error together with its record.
            reason = error if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            raise DecodeError(record.path, str(reason)) from error
        _check_frames(frames, self.shape, self.source.dtype, record)
        if hasattr(opened, "labels"):  # labels may depend on the part that was drawn
            record = dataclasses.replace(record, labels=opened.labels)
        return Example(frames, self._label(record), seed, np.True_, plan=plan)

    def _frames(self, record, opened, generator, seed):
        """The frames of a record, and the plan of the `crop` for them."""
        indices = self._sample(record, opened.total_frames, generator)
        # Samplers omit clips that would only repeat others of a short video.
        count, length = self.clips
        indices = np.resize(indices, (count or len(indices), length))
        if self.crop is None:
            return opened.read(indices), _NO_PLAN
        frames, inner = opened.read_box(indices, functools.partial(self.crop.box, seed=seed))
        return frames, self.crop.plan(*frames.shape[1:3], inner, seed)

    def _sample(self, record, total_frames, generator):
        try:
            return self.sampling(total_frames, training=self.training, rng=generator)
        except ValueError as error:
            raise DecodeError(record.path, str(error), frame_count=total_frames) from error

    def _label(self, record):
        if self.classes is None:
            return np.int32(record.labels[0])
        label = np.zeros(self.classes, np.float32)
        if record.annotated is not None:
            label[:] = UNKNOWN
            for classes in record.annotated:
                label[classes.start : classes.stop] = 0
        label[list(record.labels)] = 1
        return label

    def nothing(self):
        """An example that is not `decoded`."""
        frames = _zeros(self.shape, self.source.dtype)
        return Example(frames, self._label(self.records[0]), np.zeros(2, np.int32), np.False_)


def records_of(annotation_file, root, classes, annotation_format, source):
    """The records of a list; the default format is JSON for .json files, else the source's."""
    annotation_file = list_of(annotation_file)
    check_source(annotation_file, source)
    if annotation_format is None and not is_json(annotation_file):
        annotation_format = source.annotation_format
    return read_annotations(annotation_file, root, classes, annotation_format=annotation_format)


def reader_of(records, source, sampling, options, crop=None):
    """Creates a `ClipReader`.

    Args:
        records, source, sampling, crop: see `ClipReader`.
        options: the `LoaderOptions`.

    Raises:
        ValueError: for options that contradict each other.
    """
    check_options(options.on_error, options.seed)
    if options.classes is not None:
        check_whole("classes", options.classes, 1)
    return ClipReader(
        tuple(records),
        sampling,
        options.training,
        int(options.seed),
        label_length(records, options.classes, options.multi_label),
        options.on_error,
        DecodeReport() if options.report is None else options.report,
        source,
        crop,
    )


def check_options(on_error, seed):
    """Raises a ValueError for invalid values of options that all loaders share."""
    if on_error not in ("raise", "skip", "replace"):
        raise ValueError(f"received on_error={on_error!r}, expected 'raise', 'skip' or 'replace'")
    check_whole("seed", seed, 0)


def label_length(records, classes, multi_label):
    """Length of multi-hot labels, or None for class indices; raises for labels out of range."""
    for record in records:
        check_labels(record, classes)
    several = [
        record for record in records if len(record.labels) != 1 or record.annotated is not None
    ]
    if multi_label is None:
        multi_label = bool(several)
    if not multi_label and several:
        raise ValueError(
            f"{several[0].source}: received labels {several[0].labels}, expected one label, since "
            "multi_label=False"
        )
    if not multi_label:
        return None
    annotated = (span.stop - 1 for record in records for span in record.annotated or ())
    labels = (label for record in records for label in record.labels)
    return classes or 1 + max(itertools.chain(labels, annotated))


def _zeros(shape, dtype):
    """Zeros of a shape, or of a dictionary of shapes; unknown sizes become 0."""
    if isinstance(shape, dict):
        return {key: _zeros(shape[key], dtype[key]) for key in shape}
    return np.zeros([size or 0 for size in shape], dtype)


def _with_line(error, record):
    """The error of an example, extended by the line of the annotation file."""
    if not record.line:
        return error
    named = type(error)(
        error.path, f"{error.reason} ({record.source})", error.requested_frame, error.frame_count
    )
    named.__cause__ = error.__cause__
    return named


def _check_frames(frames, shape, dtype, record):
    """Raises a DecodeError for frames without the shape and dtype of their source."""
    if isinstance(shape, dict):
        for key in shape:
            _check_frames(frames[key], shape[key], dtype[key], record)
        return
    fits = len(shape) == frames.ndim and all(
        expected in (None, size) for expected, size in zip(shape, frames.shape, strict=True)
    )
    if frames.dtype != dtype or not fits:
        reason = (
            f"its source read {frames.dtype} of shape {frames.shape}, expected {dtype} of shape "
            f"{shape}"
        )
        raise DecodeError(record.path, reason)

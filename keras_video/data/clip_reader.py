"""From the record of a video to the frames of its clips: sampling and decoding, without a graph."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from .annotations import Record
from .decoding import DecodeError, open_video
from .report import DecodeReport

OnError = Literal["raise", "skip", "replace"]
_REPLACEMENTS = 10


class Example(NamedTuple):
    """What was read of a video.

    Attributes:
        frames: uint8 `(frames, height, width, 3)`, the frames of all clips one after another.
        label: int32 class index, or float32 `(classes,)` of zeros and ones.
        seed: int32 `(2,)`, the seed of the random clip steps.
        decoded: False when there are no frames because the video did not decode.
    """

    frames: np.ndarray
    label: np.ndarray
    seed: np.ndarray
    decoded: np.bool_


@dataclasses.dataclass(frozen=True)
class ClipReader:
    """Reads the clips of a video; a function of the epoch and the video's index alone.

    Args:
        records: the videos.
        sampling: a sampler of `keras_video.data.sampling`.
        training: whether clips are drawn at random, anew in every epoch.
        seed: seed of all draws.
        classes: length of multi-hot labels; None gives class indices.
        on_error: what to do about a video that does not decode: "raise" its `DecodeError`; give
            an example that is not `decoded` ("skip"); read another, drawn at random ("replace").
        report: where videos that do not decode are noted.
        short_side: see `Video.read`.
    """

    records: Sequence[Record]
    sampling: object
    training: bool
    seed: int
    classes: int | None
    on_error: OnError
    report: DecodeReport
    short_side: int | None = None

    def order(self, epoch, shuffle):
        """Indices of the records in the order of an epoch, int64."""
        count = len(self.records)
        if not shuffle:
            return np.arange(count)
        # The key keeps this draw apart from that of the example with index 0.
        sequence = np.random.SeedSequence([self.seed, int(epoch)], spawn_key=(0,))
        return np.random.default_rng(sequence).permutation(count)

    @functools.cached_property
    def frame_count(self):
        """Frames of every example, or None when that depends on the length of the video."""
        generator = np.random.default_rng(0)
        counts = [
            self.sampling(total, training=self.training, rng=generator).size
            for total in (10_000, 1_000_000)
        ]
        return counts[0] if counts[0] == counts[1] else None

    def read(self, epoch, index):
        """The example of a record in an epoch. Raises `DecodeError`, see `on_error`."""
        # Evaluation sees the same clips in every pass.
        entropy = [self.seed, int(epoch) if self.training else 0, int(index)]
        try:
            return self._read_record(int(index), np.random.default_rng(entropy))
        except DecodeError as error:
            self._note(error)
            if self.on_error == "raise":
                raise
        if self.on_error == "skip":
            return self._nothing()
        return self._read_replacement(entropy)

    def _read_replacement(self, entropy):
        for attempt in range(1, _REPLACEMENTS + 1):
            generator = np.random.default_rng([*entropy, attempt])
            try:
                return self._read_record(int(generator.integers(len(self.records))), generator)
            except DecodeError as error:
                self._note(error)
                last = error
        raise DecodeError(
            last.path, f"{last.reason} (and {_REPLACEMENTS} videos drawn as replacements failed)"
        )

    def _read_record(self, index, generator):
        record = self.records[index]
        seed = generator.integers(0, 2**31 - 1, 2, dtype=np.int32)
        video = open_video(record.path)
        wanted = self.sampling(video.total_frames, training=self.training, rng=generator)
        count = self.frame_count or wanted.size
        # Samplers leave out clips that would only repeat others of a short video.
        frames = video.read(np.resize(wanted, count), self.short_side)
        return Example(frames, self._label(record), seed, np.True_)

    def _label(self, record):
        if self.classes is None:
            return np.int32(record.labels[0])
        label = np.zeros(self.classes, np.float32)
        label[list(record.labels)] = 1
        return label

    def _nothing(self):
        frames = np.zeros((self.frame_count or 0, 0, 0, 3), np.uint8)
        return Example(frames, self._label(self.records[0]), np.zeros(2, np.int32), np.False_)

    def _note(self, error):
        self.report.add(error.path, error)

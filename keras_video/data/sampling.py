"""Frame sampling: the samplers of MMAction2, as small functions.

A sampler is a frozen dataclass that is called with the number of frames of a video and returns an
int64 array of shape (clips, clip_len) of frame numbers, one row per clip, clips in order of time
within each pass over the video. It is independent of files and tensors, so the same sampler serves
videos (frames counted from 0) and folders of extracted frames (usually counted from 1: pass
`start_index=1`).
"""

from dataclasses import dataclass
from operator import index
from typing import Literal

import numpy as np

OutOfBound = Literal["loop", "repeat_last"]


@dataclass(frozen=True)
class SampleFrames:
    """Clips spread evenly over the video, the sampler of most models (TSN's segments).

    In training the video is cut into `num_clips` equal segments and each clip starts at a random
    frame of its segment. Otherwise each clip starts in the middle of its segment. A video shorter
    than one clip gives clips that start at frame 0.

    Args:
        clip_len: frames of one clip.
        frame_interval: distance between neighboring frames of a clip; 1 takes every frame.
        num_clips: clips per video.
        twice_sample: outside training, sample a second time with the clips at the left end of
            their segments; the result then has `2 * num_clips` rows. Videos shorter than one clip
            keep `num_clips` rows, since both passes would be equal.
        temporal_jitter: move every frame of every clip by its own random 0 to
            `frame_interval - 1` frames. Applies whenever it is set, outside training too.
        out_of_bound: what replaces frames beyond the end of the video: `"loop"` starts
            again at the first frame, `"repeat_last"` repeats the clip's last existing frame.
        keep_tail_frames: in training, let segments have fractional lengths, so that the last
            frames of the video are drawn as often as all others.

    Raises:
        ValueError: for arguments out of range.
    """

    clip_len: int
    frame_interval: int = 1
    num_clips: int = 1
    twice_sample: bool = False
    temporal_jitter: bool = False
    out_of_bound: OutOfBound = "loop"
    keep_tail_frames: bool = False

    def __post_init__(self):
        _check_positive(self, "clip_len", "frame_interval", "num_clips")
        _check_out_of_bound(self.out_of_bound)

    def __call__(
        self,
        total_frames: int,
        *,
        training: bool,
        rng: np.random.Generator | None = None,
        start_index: int = 0,
    ) -> np.ndarray:
        """Frame numbers, int64, of shape (clips, clip_len).

        Args:
            total_frames: frames of the video, at least 1.
            training: draw at random (True) or by the fixed rule (False).
            rng: random generator; None uses a fresh, unseeded one.
            start_index: number of the video's first frame.
        """
        total_frames = _check_total_frames(total_frames)
        rng = rng or np.random.default_rng()
        if training:
            draw = self._fractional_starts if self.keep_tail_frames else self._whole_starts
            starts = draw(total_frames, rng)
        else:
            starts = self._middle_starts(total_frames)
        return _frames_of_clips(self, starts, total_frames, rng, start_index)

    def _free_starts(self, total_frames):
        """Number of frames at which a whole clip may start; below 1 if the video is too short."""
        return total_frames - self.clip_len * self.frame_interval + 1

    def _whole_starts(self, total_frames, rng):
        free = self._free_starts(total_frames)
        segment = free // self.num_clips
        clips = np.arange(self.num_clips)
        if segment > 0:
            return clips * segment + rng.integers(segment, size=self.num_clips)
        if total_frames > max(self.num_clips, self.clip_len * self.frame_interval):
            return np.sort(rng.integers(free, size=self.num_clips))
        if segment == 0:
            return np.around(clips * (free / self.num_clips)).astype(np.int64)
        return np.zeros(self.num_clips, np.int64)

    def _fractional_starts(self, total_frames, rng):
        free = self._free_starts(total_frames)
        if free < 1:
            return np.zeros(self.num_clips, np.int64)
        segment = free / self.num_clips
        left = np.arange(self.num_clips) * segment
        return (left + rng.uniform(0, segment, self.num_clips)).astype(np.int64)

    def _middle_starts(self, total_frames):
        free = self._free_starts(total_frames)
        if free < 1:
            return np.zeros(self.num_clips, np.int64)
        segment = free / self.num_clips
        left = np.arange(self.num_clips) * segment
        starts = left + segment / 2
        if self.twice_sample:
            starts = np.concatenate([starts, left])
        return starts.astype(np.int64)


@dataclass(frozen=True)
class DenseSampleFrames:
    """Clips spread over one window of the video, the dense sampler of TSM and non-local nets.

    In training a window of `sample_range` frames is drawn and `num_clips` clips are spread over
    it. Otherwise the window is placed at `num_sample_positions` positions from the first to the
    last possible one, which gives `num_sample_positions * num_clips` rows, window by window. Clips
    that would start beyond the end of a short video wrap around to its first frame.

    Args:
        clip_len: frames of one clip.
        frame_interval: distance between neighboring frames of a clip.
        num_clips: clips per window.
        sample_range: frames of the window.
        num_sample_positions: windows per video outside training.
        temporal_jitter: as in `SampleFrames`.
        out_of_bound: as in `SampleFrames`.

    Raises:
        ValueError: for arguments out of range.
    """

    clip_len: int
    frame_interval: int = 1
    num_clips: int = 1
    sample_range: int = 64
    num_sample_positions: int = 10
    temporal_jitter: bool = False
    out_of_bound: OutOfBound = "loop"

    def __post_init__(self):
        _check_positive(
            self, "clip_len", "frame_interval", "num_clips", "sample_range", "num_sample_positions"
        )
        _check_out_of_bound(self.out_of_bound)

    def __call__(
        self,
        total_frames: int,
        *,
        training: bool,
        rng: np.random.Generator | None = None,
        start_index: int = 0,
    ) -> np.ndarray:
        """Frame numbers, int64, of shape (clips, clip_len); arguments as `SampleFrames`."""
        total_frames = _check_total_frames(total_frames)
        rng = rng or np.random.default_rng()
        last = max(0, total_frames - self.sample_range)
        if training:
            # The published training code never draws the last window, so neither do we.
            windows = np.array([rng.integers(last) if last else 0])
        else:
            windows = np.linspace(0, last, self.num_sample_positions, dtype=np.int64)
        within = np.arange(self.num_clips) * (self.sample_range // self.num_clips)
        starts = (windows[:, None] + within).reshape(-1) % total_frames
        return _frames_of_clips(self, starts, total_frames, rng, start_index)


@dataclass(frozen=True)
class UntrimmedSampleFrames:
    """One clip of neighboring frames around every `frame_interval`-th frame of a long video.

    Used to extract features from untrimmed videos; nothing is random. Frames before the first or
    after the last one repeat that frame.

    Args:
        clip_len: frames of one clip.
        frame_interval: distance between the centers of neighboring clips.

    Raises:
        ValueError: for arguments out of range, and when called for a video of no more than
            `frame_interval // 2` frames, which has no clip.
    """

    clip_len: int = 1
    frame_interval: int = 16

    def __post_init__(self):
        _check_positive(self, "clip_len", "frame_interval")

    def __call__(
        self,
        total_frames: int,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
        start_index: int = 0,
    ) -> np.ndarray:
        """Frame numbers, int64, of shape (clips, clip_len); `training` and `rng` are ignored."""
        total_frames = _check_total_frames(total_frames)
        centers = np.arange(self.frame_interval // 2, total_frames, self.frame_interval)
        if centers.size == 0:
            raise ValueError(
                f"received a video of {total_frames} frames, expected more than "
                f"{self.frame_interval // 2} (half of frame_interval={self.frame_interval}), "
                "since the first clip is centered there"
            )
        around = np.arange(self.clip_len) - self.clip_len // 2
        frames = np.clip(centers[:, None] + around, 0, total_frames - 1)
        return frames.astype(np.int64) + start_index


def _frames_of_clips(sampler, starts, total_frames, rng, start_index):
    """Frame numbers of the clips that begin at `starts`, kept inside the video."""
    frames = starts[:, None] + np.arange(sampler.clip_len) * sampler.frame_interval
    if sampler.temporal_jitter:
        frames = frames + rng.integers(sampler.frame_interval, size=frames.shape)
    if sampler.out_of_bound == "loop":
        frames = frames % total_frames
    else:
        inside = frames < total_frames
        last = np.max(np.where(inside, frames, 0), axis=1, keepdims=True)
        frames = np.where(inside, frames, last)
    return frames.astype(np.int64) + start_index


def _check_positive(sampler, *names):
    for name in names:
        check_whole(name, getattr(sampler, name), 1, type(sampler).__name__)


def check_whole(name, value, least, owner=None):
    """Rejects anything but a whole number of at least `least`.

    Args:
        name, value: of the argument, for the message.
        least: the smallest number allowed.
        owner: function or class whose argument it is; None leaves it out of the message.

    Raises:
        ValueError: naming the received value.
    """
    try:
        whole = index(value)
    except TypeError:
        whole = None
    if whole is None or whole < least:
        prefix = f"{owner}: " if owner else ""
        raise ValueError(
            f"{prefix}received {name}={value!r}, expected a whole number of at least {least}"
        )


def _check_out_of_bound(value):
    if value not in ("loop", "repeat_last"):
        raise ValueError(f"received out_of_bound={value!r}, expected 'loop' or 'repeat_last'")


def _check_total_frames(total_frames):
    try:
        whole = index(total_frames)
    except TypeError:
        whole = 0
    if whole < 1:
        raise ValueError(
            f"received total_frames={total_frames!r}, expected a whole number of at least 1"
        )
    return whole

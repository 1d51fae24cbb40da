"""What happens to an example between reading and the model: transforms, views, normalization."""

import dataclasses

import numpy as np
import tensorflow as tf

from ..sampling import check_whole
from ..transforms.basic import Normalize, apply_label_transforms, apply_transforms
from ..transforms.decode_crop import apply_planned_transforms
from .normalizing import normalize_array, normalizing
from .repeating import repeating


@dataclasses.dataclass(frozen=True)
class Processing:
    """Which frames of a video are read, and what is done to them and to its sound.

    Attributes:
        sampling: which frames are read, a sampler of `keras_video.data`.
        transforms: the clip transforms before normalization; `None` for sound alone.
        normalize: the `Normalize` that follows them; `None` leaves pixels as they are.
        audio_transforms: from waves to spectrograms; `None` for video alone.
        view_frames: frames that the model sees at a time; `None` makes one view of all.
    """

    sampling: object
    transforms: tuple | None = None
    normalize: Normalize | None = None
    audio_transforms: tuple | None = None
    view_frames: int | None = None

    def __post_init__(self):
        if self.view_frames is not None:
            check_whole("view_frames", self.view_frames, 1)

    @classmethod
    def of_transforms(cls, sampling, transforms, view_frames=None, audio_transforms=None):
        """The processing of transforms as users give them: the last of them may be a `Normalize`.

        It is told apart here and nowhere else.
        """
        transforms, normalize = tuple(transforms), None
        if transforms and type(transforms[-1]) is Normalize:
            *transforms, normalize = transforms
        audio_transforms = None if audio_transforms is None else tuple(audio_transforms)
        return cls(sampling, tuple(transforms), normalize, audio_transforms, view_frames)

    @property
    def all_transforms(self):
        """The clip transforms with normalization at their end."""
        return self.transforms if self.normalize is None else (*self.transforms, self.normalize)

    def transform(self, training, repeats=1):
        """The function from what was read of an example to (features, label), not normalized.

        Features of an evaluation begin with an axis of views, unless there is one view of every
        example. With `repeats` it gives so many of each, see `repeating`.

        It takes frames, label, seed and, where the reader has a `crop`, its plan for the frames.
        """
        if self.audio_transforms is None:
            transform = video_transform(self.transforms, self.view_frames, training)
            return transform if repeats == 1 else repeating(transform, repeats)
        hear = audio_transform(self.audio_transforms, training)
        if self.transforms is None:
            return hear if training else _without_single_axis(hear)
        return _both_transforms(
            _video_views(self.transforms, self.view_frames, training), hear, training
        )

    @property
    def finish(self):
        """The function from the features of a batch to those of the model; `None` for no change.

        See `normalizing.py` for why whole batches are normalized.
        """
        if self.normalize is None:
            return None
        normalize = normalizing(self.normalize)
        if self.audio_transforms is None:
            return normalize
        return lambda batch: {**batch, "video": normalize(batch["video"])}

    def transformed(self, frames):
        """The frames of a clip, or of several, after the transforms: an array, not normalized."""
        return np.asarray(apply_transforms(self.transforms, tf.constant(frames)))

    def normalized(self, frames):
        """An array of transformed frames as the model takes them."""
        return frames if self.normalize is None else normalize_array(self.normalize, frames)


def video_transform(transforms, view_frames, training):
    """The function from what was read to (clip, label)."""
    transform = _video_views(transforms, view_frames, training)
    return transform if training else _without_single_axis(transform)


def _video_views(transforms, view_frames, training):
    """As `video_transform`; out of training the clip has its axis of views in any case."""

    def transform(frames, label, seed, plan=None):
        if plan is None:
            clip = apply_transforms(transforms, frames, seed)
        else:
            clip = apply_planned_transforms(transforms, frames, seed, plan)
        label = apply_label_transforms(transforms, label, seed)
        if training:
            return _single_view(clip, view_frames), label
        return _views(clip, view_frames), label

    return transform


def audio_transform(transforms, training):
    """The function from what was read to (spectrogram, label)."""

    def transform(sound, label, seed):
        spectrogram = apply_transforms(transforms, sound, seed)
        label = apply_label_transforms(transforms, label, seed)
        return _checked_spectrograms(spectrogram, training), label

    return transform


def _both_transforms(see, hear, training):
    """The function from what was read to ({"video": clip, "audio": spectrogram}, label)."""

    def transform(read, label, seed):
        spectrogram, _ = hear(read["audio"], label, seed)
        clip, label = see(read["video"], label, seed)
        if not training:
            spectrogram = _per_crop(spectrogram, clip)
            clip, spectrogram = _single_views(clip, spectrogram)
        return {"video": clip, "audio": spectrogram}, label

    return transform


def _without_single_axis(transform):
    """The transform, its features without the axis of views where every example has one view."""

    def single(*read):
        features, label = transform(*read)
        return _single_views(features)[0], label

    return single


def _single_views(*features):
    """Features `(views, ...)` as they are, or their only view: an example as Keras takes it."""
    single = all(one.shape[0] == 1 for one in features)
    return tuple(one[0] for one in features) if single else features


def _single_view(clip, view_frames):
    if clip.shape.rank != 4:
        raise ValueError(
            f"the transforms make clips of shape {clip.shape}, expected (frames, height, width, "
            "channels) in training: crops that give several views are for evaluation"
        )
    if view_frames is not None and clip.shape[0] != view_frames:
        raise ValueError(
            f"the sampling gives {clip.shape[0]} frames, expected view_frames={view_frames} in "
            "training, where an example is one view"
        )
    return clip


def _views(clip, view_frames):
    """(frames, ...) or (crops, frames, ...) as (views, view_frames, ...), time before crops."""
    if clip.shape.rank == 4:
        clip = clip[None]
    crops, frames = clip.shape[:2]
    if view_frames is None:
        return clip
    if frames is not None and frames % view_frames:
        raise ValueError(
            f"the sampling gives {frames} frames, expected a multiple of view_frames={view_frames}"
        )
    rest, static_rest = tf.shape(clip)[2:], clip.shape[2:]
    clip = tf.reshape(clip, tf.concat([[crops, -1, view_frames], rest], axis=0))
    if crops > 1:
        clip = tf.transpose(clip, [1, 0, 2, 3, 4, 5])
    clip = tf.reshape(clip, tf.concat([[-1, view_frames], rest], axis=0))
    views = None if frames is None else crops * frames // view_frames
    return tf.ensure_shape(clip, [views, view_frames, *static_rest])


def _checked_spectrograms(spectrogram, training):
    """Spectrograms `(clips, time, mels, 1)`, or in training the only one of them.

    Raises:
        ValueError: for another rank, or in training for several clips.
    """
    shape = spectrogram.shape
    if shape.rank != 4:
        raise ValueError(
            f"the transforms make spectrograms of shape {shape}, expected (clips, time, mels, 1); "
            "end them with MelSpectrogram, LogMelFeatures or AddChannel"
        )
    if not training:
        return spectrogram
    if shape[0] != 1:
        raise ValueError(
            f"the sampling gives {shape[0]} clips, expected num_clips=1 in training, where an "
            "example is one clip"
        )
    return spectrogram[0]


def _per_crop(spectrograms, views):
    """Spectrograms `(clips, ...)` for views `(clips * crops, ...)`, which stand clip by clip."""
    crops = tf.shape(views)[0] // tf.shape(spectrograms)[0]
    repeated = tf.repeat(spectrograms, crops, axis=0)
    return tf.ensure_shape(repeated, [views.shape[0], *spectrograms.shape[1:]])

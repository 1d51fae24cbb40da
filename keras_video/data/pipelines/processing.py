"""Processing of an example between reading and the model: transforms, views, normalization."""

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
    """The sampling and transforms of a video's frames and audio.

    Attributes:
        sampling: a sampler of `keras_video.data` that selects the frames to read.
        transforms: the clip transforms before normalization; `None` for audio only.
        normalize: the `Normalize` that follows them; `None` leaves pixels unchanged.
        audio_transforms: from waveforms to spectrograms; `None` for video only.
        view_frames: frames per view, the input of the model; `None` makes all frames one view.
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
        """Creates a `Processing` from user-defined transforms, whose last may be a `Normalize`.

        This is the only place that separates it from the others.
        """
        transforms, normalize = tuple(transforms), None
        if transforms and type(transforms[-1]) is Normalize:
            *transforms, normalize = transforms
        audio_transforms = None if audio_transforms is None else tuple(audio_transforms)
        return cls(sampling, tuple(transforms), normalize, audio_transforms, view_frames)

    @property
    def all_transforms(self):
        """The clip transforms, including the final normalization."""
        return self.transforms if self.normalize is None else (*self.transforms, self.normalize)

    def transform(self, training, repeats=1):
        """The function that transforms an example to (features, label), without normalization.

        In evaluation, features have a leading axis of views unless there is a single view per
        example. With `repeats`, it returns that number of clips and labels, see `repeating`.

        Its arguments are frames, label, seed and, if the reader has a `crop`, the plan for the
        frames.
        """
        if self.audio_transforms is None:
            transform = video_transform(self.transforms, self.view_frames, training)
            return transform if repeats == 1 else repeating(transform, repeats)
        to_audio = audio_transform(self.audio_transforms, training)
        if self.transforms is None:
            return to_audio if training else _without_single_axis(to_audio)
        return _both_transforms(
            _video_views(self.transforms, self.view_frames, training), to_audio, training
        )

    @property
    def finish(self):
        """The function that normalizes the features of a batch; `None` if there is none.

        See `normalizing.py` for why whole batches are normalized.
        """
        if self.normalize is None:
            return None
        normalize = normalizing(self.normalize)
        if self.audio_transforms is None:
            return normalize
        return lambda batch: {**batch, "video": normalize(batch["video"])}

    def transformed(self, frames):
        """Applies the transforms to the frames of one or several clips; an unnormalized array."""
        return np.asarray(apply_transforms(self.transforms, tf.constant(frames)))

    def normalized(self, frames):
        """Normalizes an array of transformed frames for the model."""
        return frames if self.normalize is None else normalize_array(self.normalize, frames)


def video_transform(transforms, view_frames, training):
    """The function that transforms an example to (clip, label)."""
    transform = _video_views(transforms, view_frames, training)
    return transform if training else _without_single_axis(transform)


def _video_views(transforms, view_frames, training):
    """As `video_transform`, but in evaluation the clip always has an axis of views."""

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
    """The function that transforms an example to (spectrogram, label)."""

    def transform(audio, label, seed):
        spectrogram = apply_transforms(transforms, audio, seed)
        label = apply_label_transforms(transforms, label, seed)
        return _checked_spectrograms(spectrogram, training), label

    return transform


def _both_transforms(to_video, to_audio, training):
    """The function that transforms an example to ({"video": clip, "audio": spectrogram}, label)."""

    def transform(inputs, label, seed):
        spectrogram, _ = to_audio(inputs["audio"], label, seed)
        clip, label = to_video(inputs["video"], label, seed)
        if not training:
            spectrogram = _per_crop(spectrogram, clip)
            clip, spectrogram = _single_views(clip, spectrogram)
        return {"video": clip, "audio": spectrogram}, label

    return transform


def _without_single_axis(transform):
    """The transform without the axis of views if there is a single view."""

    def single(*inputs):
        features, label = transform(*inputs)
        return _single_views(features)[0], label

    return single


def _single_views(*features):
    """Features `(views, ...)`; if there is a single view, without that axis, as Keras expects."""
    single = all(tensor.shape[0] == 1 for tensor in features)
    return tuple(tensor[0] for tensor in features) if single else features


def _single_view(clip, view_frames):
    if clip.shape.rank != 4:
        raise ValueError(
            f"the transforms return clips of shape {clip.shape}, expected (frames, height, width, "
            "channels) in training: crops with several views are for evaluation only"
        )
    if view_frames is not None and clip.shape[0] != view_frames:
        raise ValueError(
            f"the sampling returns {clip.shape[0]} frames, expected view_frames={view_frames} in "
            "training, where an example is a single view"
        )
    return clip


def _views(clip, view_frames):
    """Reshapes (frames, ...) or (crops, frames, ...) to (views, view_frames, ...), time first."""
    if clip.shape.rank == 4:
        clip = clip[None]
    crops, frames = clip.shape[:2]
    if view_frames is None:
        return clip
    if frames is not None and frames % view_frames:
        raise ValueError(
            f"the sampling returns {frames} frames, expected a multiple of "
            f"view_frames={view_frames}"
        )
    rest, static_rest = tf.shape(clip)[2:], clip.shape[2:]
    clip = tf.reshape(clip, tf.concat([[crops, -1, view_frames], rest], axis=0))
    if crops > 1:
        clip = tf.transpose(clip, [1, 0, 2, 3, 4, 5])
    clip = tf.reshape(clip, tf.concat([[-1, view_frames], rest], axis=0))
    views = None if frames is None else crops * frames // view_frames
    return tf.ensure_shape(clip, [views, view_frames, *static_rest])


def _checked_spectrograms(spectrogram, training):
    """Checks spectrograms `(clips, time, mels, 1)`; in training, returns the only one.

    Raises:
        ValueError: for another rank, or for several clips in training.
    """
    shape = spectrogram.shape
    if shape.rank != 4:
        raise ValueError(
            f"the transforms return spectrograms of shape {shape}, expected (clips, time, mels, "
            "1); end them with MelSpectrogram, LogMelFeatures or AddChannel"
        )
    if not training:
        return spectrogram
    if shape[0] != 1:
        raise ValueError(
            f"the sampling returns {shape[0]} clips, expected num_clips=1 in training, where an "
            "example is a single clip"
        )
    return spectrogram[0]


def _per_crop(spectrograms, views):
    """Repeats spectrograms `(clips, ...)` for views `(clips * crops, ...)`, in clip order."""
    crops = tf.shape(views)[0] // tf.shape(spectrograms)[0]
    repeated = tf.repeat(spectrograms, crops, axis=0)
    return tf.ensure_shape(repeated, [views.shape[0], *spectrograms.shape[1:]])

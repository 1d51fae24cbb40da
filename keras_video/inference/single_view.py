"""One view in place of the many of a test protocol: for streams and for windows of a video."""

import dataclasses

from keras_video.inference.video import protocol_of
from keras_video.zoo.clip_settings import Crop
from keras_video.zoo.overrides import other_views
from keras_video.zoo.protocol import VIDEO


def protocol_with_views(model, views=None, protocol=None):
    """How a model is fed with videos, with other views than its protocol has.

    Args:
        model: a network of clips.
        views: `(clips, crops)`, see `keras_video.zoo.other_views`; `None` leaves the protocol's.
        protocol: a `keras_video.zoo.Protocol` in place of the model's own.

    Raises:
        ValueError: if the model does not say how it is fed, or not with videos, or for views that
            the sampling cannot give.
    """
    settings = protocol_of(model) if protocol is None else protocol
    if settings.modality != VIDEO:
        raise ValueError(
            f"The model takes {settings.modality}: expected one of video; predict_audio and "
            "predict_audiovisual are for models of sound."
        )
    if views is None:
        return settings
    if not isinstance(views, list | tuple) or len(views) != 2:
        raise ValueError(f"views={views!r}: expected (clips, crops), such as (1, 1)")
    found = other_views(settings, *views)
    if views[0] == 1 and settings.view_frames is None:
        # All frames are one view, of as many frames as the model takes.
        one = single_view(model, settings)
        found = dataclasses.replace(found, sampling=one.sampling, view_frames=one.view_frames)
    return found


def single_view(model, protocol=None):
    """How a model is fed with one view of a video: one clip, cropped in the middle.

    Args:
        model: a classifier of video frames with a `protocol`.
        protocol: a `keras_video.zoo.Protocol` in place of the model's own.

    Returns:
        A `keras_video.zoo.Protocol` with as many frames and pixels as the model takes.

    Raises:
        ValueError: if the model does not say how it is fed, or does not take RGB frames.
    """
    settings = protocol_of(model) if protocol is None else protocol
    shape = model.input_shape
    if settings.spatial is None or len(shape) != 5 or shape[-1] != 3:
        raise ValueError(
            f"The model {model.name!r} takes {shape}: expected RGB clips (batch, frames, height, "
            "width, 3)."
        )
    sampling = settings.sampling
    frames = shape[1] or settings.view_frames or sampling.total_frames(training=False)
    sampling = dataclasses.replace(
        sampling,
        num_clips=max(1, frames // sampling.clip_len),
        twice_sample=False,
        num_sample_positions=1,
    )
    spatial = settings.spatial
    size = shape[2] or (spatial.crop.size if spatial.crop else None)
    crop = Crop("center", size) if size else spatial.crop
    spatial = dataclasses.replace(spatial, crop=crop)
    return dataclasses.replace(settings, sampling=sampling, spatial=spatial, view_frames=frames)


def frame_span(sampling):
    """Frames from the first to the last that a single view takes; fewer would repeat some."""
    if sampling.sampler == "DenseSampleFrames":
        return sampling.sample_range
    return (sampling.clip_len - 1) * sampling.frame_interval + 1

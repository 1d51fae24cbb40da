"""Single-view protocols in place of multi-view test protocols, for streams and windows."""

import dataclasses

from keras_video.inference.video import protocol_of
from keras_video.zoo.clip_settings import Crop
from keras_video.zoo.overrides import other_views
from keras_video.zoo.protocol import VIDEO


def protocol_with_views(model, views=None, protocol=None):
    """The video protocol of a model, optionally with a different number of views.

    Args:
        model: a clip model.
        views: `(clips, crops)`, see `keras_video.zoo.other_views`; `None` keeps the protocol's.
        protocol: a `keras_video.zoo.Protocol` in place of the model's own.

    Raises:
        ValueError: if the model has no protocol or one of another modality, or for views that the
            sampling does not support.
    """
    settings = protocol_of(model) if protocol is None else protocol
    if settings.modality != VIDEO:
        raise ValueError(
            f"The model takes {settings.modality}: expected a video model; use predict_audio "
            "or predict_audiovisual for models with audio."
        )
    if views is None:
        return settings
    if not isinstance(views, list | tuple) or len(views) != 2:
        raise ValueError(f"views={views!r}: expected (clips, crops), such as (1, 1)")
    changed = other_views(settings, *views)
    if views[0] == 1 and settings.view_frames is None:
        # All sampled frames form one view, with the number of frames that the model takes.
        single = single_view(model, settings)
        changed = dataclasses.replace(
            changed, sampling=single.sampling, view_frames=single.view_frames
        )
    return changed


def single_view(model, protocol=None):
    """The protocol of a single view of a video: one center-cropped clip.

    Args:
        model: a classifier of video frames with a `protocol`.
        protocol: a `keras_video.zoo.Protocol` in place of the model's own.

    Returns:
        A `keras_video.zoo.Protocol` with the model's number of frames and frame size.

    Raises:
        ValueError: if the model has no protocol, or does not take RGB frames.
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
    """Frames spanned by a single view; in a shorter video some frames would repeat."""
    if sampling.sampler == "DenseSampleFrames":
        return sampling.sample_range
    return (sampling.clip_len - 1) * sampling.frame_interval + 1

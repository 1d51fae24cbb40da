"""One view in place of the many of a test protocol: for streams and for windows of a video."""

import dataclasses

from keras_video.inference.video import protocol_of
from keras_video.zoo.clip_settings import Crop


def single_view(model):
    """How a model is fed with one view of a video: one clip, cropped in the middle.

    Args:
        model: a classifier of video frames with a `protocol`.

    Returns:
        A `keras_video.zoo.Protocol` with as many frames and pixels as the model takes.

    Raises:
        ValueError: if the model does not say how it is fed, or does not take RGB frames.
    """
    settings = protocol_of(model)
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

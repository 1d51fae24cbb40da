"""Adapted rows: other views, another size, and training settings if none are published."""

from dataclasses import replace

from absl import logging

from keras_video.zoo.clip_settings import Crop, Phases, Spatial, Views
from keras_video.zoo.training_settings import Loss, Optimizer, Schedule, Source

CROPS = {1: "center", 3: "three", 10: "ten"}

# What a published model is fine-tuned with when no training of it is published.
FINE_TUNING = {
    "optimizer": Optimizer(0.01, reference_gpus=1, weight_decay=1e-4),
    "schedule": Schedule(
        "cosine", by_epoch=False, warmup="linear", warmup_length=1, warmup_by_epoch=True
    ),
    "gradient_clip": 40.0,
    "epochs": 20,
    "batch_size_per_device": 32,
    "evaluation_interval": 1,
}


def with_views(row, clips, crops):
    """`row` tested with other views; see `other_views`."""
    settings = other_views(row.protocol("test"), clips, crops)
    one_view = row.view_frames is None
    frames = settings.sampling.total_clips(training=False) if one_view else row.views.frames
    spatial = row.spatial and replace(row.spatial, test=settings.spatial)
    return replace(
        row,
        sampling=replace(row.sampling, test=settings.sampling),
        spatial=spatial,
        views=Views(1 if one_view else clips, crops, frames),
    )


def other_views(settings, clips, crops):
    """A test protocol with other views.

    Args:
        settings: a `Protocol`.
        clips: views along time; for TSN, whose frames are one view, the frames.
        crops: views per clip, in space: 1 (center), 3 or 10.

    Raises:
        ValueError: for views that the sampling cannot give.
    """
    sampling, spatial = settings.sampling, settings.spatial
    if crops not in CROPS or clips < 1 or (spatial is None and crops != 1):
        expected = "1 crop" if spatial is None else "1, 3 or 10 crops"
        raise ValueError(f"clips={clips}, crops={crops}: expected 1 clip or more and {expected}.")
    if sampling.sampler == "DenseSampleFrames":
        sampling = replace(sampling, num_sample_positions=clips)
    elif settings.view_frames is None or sampling.clip_len > 1:
        sampling = replace(sampling, num_clips=clips)
    elif clips <= 2:
        sampling = replace(sampling, twice_sample=clips == 2)
    else:
        raise ValueError(
            f"clips={clips}: the frames of a clip are spread over the whole video, expected 1 or "
            "2 clips."
        )
    if spatial is not None:
        spatial = replace(spatial, crop=replace(spatial.crop, kind=CROPS[crops]))
    return replace(settings, sampling=sampling, spatial=spatial)


def resized(row, size):
    """`row` with training clips of `size` pixels; resizing and the other crops in proportion.

    Raises:
        ValueError: for a row without frames.
    """
    if row.spatial is None:
        raise ValueError(f"size={size}: {row.id} ({row.name}) has no frames to resize.")
    frames, height, width, channels = row.input_shape
    phases = {
        phase: setting and setting.scaled(round(setting.crop.size * size / height))
        for phase, setting in vars(row.spatial).items()
    }
    shape = (frames, size, round(size * width / height), channels)
    return replace(row, spatial=replace(row.spatial, **phases), input_shape=shape)


def trainable(row):
    """`row` with every setting that training needs; unpublished ones are filled in here.

    Clips are then randomly cropped from the enlarged frame and flipped, and the weights fine-tuned
    with a cosine schedule. A warning says so.
    """
    if row.optimizer is not None or row.constructor is None:
        return row
    clips = f" Clips are made as {row.settings_from} states." if row.settings_from else ""
    logging.warning(
        "%s (%s) publishes no training: the package's settings for fine-tuning are used.%s",
        row.id,
        row.name,
        clips,
    )
    several = row.arguments.get("classifier_activation") == "sigmoid"
    return replace(
        row,
        sampling=replace(
            row.sampling,
            train=row.sampling.train or training_sampling(row),
            val=row.sampling.val or training_sampling(row),
        ),
        spatial=row.spatial and training_spatial(row),
        source=training_source(row),
        loss=Loss("binary" if several else "categorical"),
        gpus=1,
        **FINE_TUNING,
    )


def pretrained(row):
    """`row` with the settings of its masked pretraining in place of those of its training.

    Raises:
        ValueError: for a row without one.
    """
    settings = row.pretraining
    if settings is None:
        raise ValueError(f"{row.id} ({row.name}): states no masked pretraining.")
    return replace(
        row,
        optimizer=settings.optimizer,
        schedule=settings.schedule,
        epochs=settings.epochs,
        gradient_clip=settings.gradient_clip,
        batch_size_per_device=settings.batch_size_per_device,
        gpus=settings.gpus,
        spatial=replace(row.spatial, train=settings.spatial),
        repeated_augmentation=settings.repeated_augmentation,
    )


def training_source(row):
    """Where the row's examples come from; files, for rows that do not state it."""
    if row.source is None:
        files = Source("video" if row.spatial else "audio")
        return Phases(train=files, val=files, test=files)
    return replace(row.source, train=row.source.train or row.source.test)


def training_sampling(row):
    """One clip of the input shape of the network, sampled as in testing."""
    test = row.sampling.test
    # Frames spread over the whole video are clips of one frame each.
    spread = row.view_frames if test.clip_len == 1 else None
    segments = row.arguments.get("segments") or spread or 1
    return replace(test, num_clips=segments, twice_sample=False)


def training_spatial(row):
    """The row's spatial transforms, with missing phases derived from the test phase."""
    size, test = row.input_shape[1], row.spatial.test
    crop = Crop("random_resized", size, area_range=(0.3, 1.0))
    resizing = {"resize": test.resize, "size": test.size, "short_side": test.short_side}
    plain = Spatial(**resizing, crop=Crop("center", size))
    return replace(
        row.spatial,
        train=row.spatial.train or replace(plain, crop=crop, flip_probability=0.5),
        val=row.spatial.val or plain,
    )

"""From records to a dataset, of video, of sound or of both: the one way that all loaders go."""

import dataclasses

from ..sampling import check_whole
from ..sound.audiovisual import AudioVisual
from ..sources.videos import VideoParts, Videos
from ..steps.basic import Resize
from ..steps.decode_crop import early_crop, shrinking
from .batches import dataset_of_reader
from .clip_reader import reader_of
from .repeating import merged_repeats


def build_dataset(records, processing, source, options):
    """The dataset of examples that `records` name.

    Args:
        records: sequence of `Record`.
        processing: a `Processing`.
        source: where the examples come from.
        options: the `LoaderOptions`.

    Returns:
        A `tf.data.Dataset`, see `dataset_from_records`, `audio_dataset` and `audiovisual_dataset`.

    Raises:
        ValueError: options that contradict each other.
    """
    check_whole("repeats", options.repeats, 1)
    if options.repeats > 1 and (options.batch_size is None or not options.training):
        raise ValueError(
            f"repeats={options.repeats}: received batch_size={options.batch_size}, "
            f"training={options.training}, expected batches of a training"
        )
    steps, crop = processing.steps, None
    if options.decoder_resize:
        source = _scaled(source, steps)
    if processing.audio_steps is None and options.repeats == 1:
        crop = crop_while_decoding(source, steps)
    if steps is not None:
        source = shrinking_source(source, steps)
    reader = reader_of(records, source, processing.sampling, options, crop)
    if steps is not None and processing.audio_steps is not None:
        # The sound of a view is that of its clip.
        processing = dataclasses.replace(processing, view_frames=reader.clips[1])
    dataset = dataset_of_reader(reader, processing, options)
    return dataset if options.repeats == 1 else merged_repeats(dataset)


def _scaled(source, steps):
    """The source with the leading step done by the decoder's scaler."""
    if not isinstance(source, Videos):
        raise ValueError(f"decoder_resize=True: received source={source}, expected Videos()")
    if steps and isinstance(steps[0], Resize) and steps[0].short_side is not None:
        return dataclasses.replace(source, short_side=steps[0].short_side)
    first = steps[0] if steps else "no steps"
    raise ValueError(
        f"decoder_resize=True: received {first}, expected Resize(short_side=...) first"
    )


def shrinking_source(source, steps):
    """The source with frames made smaller while they are decoded, where the steps begin so."""
    if isinstance(source, VideoParts | AudioVisual):
        videos = shrinking_source(source.videos, steps)
        return source if videos is source.videos else dataclasses.replace(source, videos=videos)
    shrinks = isinstance(source, Videos) and source.decoder == "pyav"
    shrink = shrinking(steps) if shrinks else None
    return source if shrink is None else dataclasses.replace(source, shrink=shrink)


def crop_while_decoding(source, steps):
    """The `DecodeCrop` of the steps where the source can cut while it decodes, else None."""
    return early_crop(steps) if getattr(source, "cuts_early", False) else None

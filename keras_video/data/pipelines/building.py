"""From records to a dataset, of video, of sound or of both: the one way that all loaders go."""

import dataclasses

from ..audio.audiovisual import AudioVisual
from ..sampling import check_whole
from ..sources.videos import VideoParts, Videos
from ..transforms.basic import Resize
from ..transforms.decode_crop import early_crop, shrinking
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
    transforms, crop = processing.transforms, None
    if options.decoder_resize:
        source = _scaled(source, transforms)
    if processing.audio_transforms is None and options.repeats == 1:
        crop = crop_while_decoding(source, transforms)
    if transforms is not None:
        source = shrinking_source(source, transforms)
    reader = reader_of(records, source, processing.sampling, options, crop)
    if transforms is not None and processing.audio_transforms is not None:
        # The sound of a view is that of its clip.
        processing = dataclasses.replace(processing, view_frames=reader.clips[1])
    dataset = dataset_of_reader(reader, processing, options)
    return dataset if options.repeats == 1 else merged_repeats(dataset)


def _scaled(source, transforms):
    """The source with the leading transform done by the decoder's scaler."""
    if not isinstance(source, Videos):
        raise ValueError(f"decoder_resize=True: received source={source}, expected Videos()")
    if transforms and isinstance(transforms[0], Resize) and transforms[0].short_side is not None:
        return dataclasses.replace(source, short_side=transforms[0].short_side)
    first = transforms[0] if transforms else "no transforms"
    raise ValueError(
        f"decoder_resize=True: received {first}, expected Resize(short_side=...) first"
    )


def shrinking_source(source, transforms):
    """The source with frames made smaller while they are decoded, where the transforms begin so."""
    if isinstance(source, VideoParts | AudioVisual):
        videos = shrinking_source(source.videos, transforms)
        return source if videos is source.videos else dataclasses.replace(source, videos=videos)
    shrinks = isinstance(source, Videos) and source.decoder == "pyav"
    shrink = shrinking(transforms) if shrinks else None
    return source if shrink is None else dataclasses.replace(source, shrink=shrink)


def crop_while_decoding(source, transforms):
    """The `DecodeCrop` of the transforms where the source can cut while it decodes, else None."""
    return early_crop(transforms) if getattr(source, "cuts_early", False) else None

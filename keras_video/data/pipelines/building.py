"""Builds datasets of video, audio or both from records; shared by all loaders."""

import dataclasses

from ..audio.audiovisual import AudioVisual
from ..sampling import check_whole
from ..sources.videos import VideoParts, Videos
from ..spans.clips import windows_source
from ..transforms.basic import Resize
from ..transforms.decode_crop import leading_crop, leading_shrink
from .batches import dataset_of_reader
from .clip_reader import reader_of
from .repeating import merged_repeats


def build_dataset(records, processing, source, options):
    """The dataset of the examples in `records`.

    Args:
        records: sequence of `Record`.
        processing: a `Processing`.
        source: the source that opens the examples.
        options: the `LoaderOptions`.

    Returns:
        A `tf.data.Dataset`, see `dataset_from_records`, `audio_dataset` and `audiovisual_dataset`.

    Raises:
        ValueError: for options that contradict each other.
    """
    check_whole("repeats", options.repeats, 1)
    if options.repeats > 1 and (options.batch_size is None or not options.training):
        raise ValueError(
            f"repeats={options.repeats}: received batch_size={options.batch_size}, "
            f"training={options.training}, expected batches for training"
        )
    transforms, crop = processing.transforms, None
    if options.decoder_resize:
        source = _scaled(source, transforms)
    if processing.audio_transforms is None and options.repeats == 1:
        crop = crop_while_decoding(source, transforms)
    if transforms is not None:
        source = shrinking_source(source, transforms)
    source = windows_source(records, source)
    reader = reader_of(records, source, processing.sampling, options, crop)
    if transforms is not None and processing.audio_transforms is not None:
        # Each clip is a view and has its own audio.
        processing = dataclasses.replace(processing, view_frames=reader.clips[1])
    dataset = dataset_of_reader(reader, processing, options)
    return dataset if options.repeats == 1 else merged_repeats(dataset)


def _scaled(source, transforms):
    """The source, with the leading transform performed by the decoder's scaler."""
    if not isinstance(source, Videos):
        raise ValueError(f"decoder_resize=True: received source={source}, expected Videos()")
    if transforms and isinstance(transforms[0], Resize) and transforms[0].short_side is not None:
        return dataclasses.replace(source, short_side=transforms[0].short_side)
    first = transforms[0] if transforms else "no transforms"
    raise ValueError(
        f"decoder_resize=True: received {first}, expected Resize(short_side=...) first"
    )


def shrinking_source(source, transforms):
    """The source, which downsizes frames while decoding if the transforms begin with that."""
    if isinstance(source, VideoParts | AudioVisual):
        videos = shrinking_source(source.videos, transforms)
        return source if videos is source.videos else dataclasses.replace(source, videos=videos)
    shrinks = isinstance(source, Videos) and source.decoder == "pyav"
    shrink = leading_shrink(transforms) if shrinks else None
    return source if shrink is None else dataclasses.replace(source, shrink=shrink)


def crop_while_decoding(source, transforms):
    """The `DecodeCrop` of the transforms if the source can crop while decoding, else None."""
    return leading_crop(transforms) if getattr(source, "cuts_early", False) else None

"""The source and annotation format from the data settings of a zoo row."""

import dataclasses
from pathlib import Path

from keras_video.zoo import Sampling

from ..annotations.formats import offset_lines, video_lines
from ..annotations.parsing import first_paths
from ..annotations.records import is_json
from ..annotations.shards import source_kind_of_list
from ..sources.raw_frames import FlowFrames, RawFrames
from ..sources.videos import IMAGE_SUFFIXES, Images, VideoParts, Videos

_PLAIN = {"video": Videos, "rawframes": RawFrames, "images": Images}


def row_source(row, kind=None):
    """The source that a row is trained and tested on.

    Folders of frames are scanned for the number of their first frame, so lists and frames with
    another start index work as well.

    Args:
        row: a `keras_video.zoo.Row`.
        kind: a kind to use in place of the row's: "video", "rawframes" or "images"; optical flow
            rows only accept "flow".

    Raises:
        ValueError: for any other kind, an audio row (see `keras_video.data.audio_dataset`), or a
            row without data settings.
    """
    settings = _settings(row, "test")
    if kind is None or kind == settings.kind:
        return build_source(settings, clip_channels=row.input_shape[-1])
    plain = {} if settings.kind == "flow" else _PLAIN
    if kind not in plain:
        expected = ", ".join([settings.kind, *plain])
        raise ValueError(f"{row.name}: received kind={kind!r}, expected one of {expected}")
    return plain[kind]()


def source_of_kind(row, kind):
    """`row_source`, or the default source of this kind if the row has no data settings."""
    return _PLAIN[kind]() if row.source is None else row_source(row, kind)


def plain_source_of_list(file):
    """The default source for shards of frames or images; None for videos and other lists."""
    kind = source_kind_of_list(file)
    return _PLAIN[kind]() if kind in ("rawframes", "images") else None


def row_annotation_format(row, phase, kind=None):
    """The annotation format of a row's lists for a phase.

    Args:
        row: a `keras_video.zoo.Row`.
        phase: "train", "val" or "test".
        kind: as in `row_source`.
    """
    settings = _settings(row, phase)
    if settings.with_offset and kind in (None, settings.kind):
        return offset_lines
    return row_source(row, kind).annotation_format


def build_source(settings, clip_channels=3, joint=None):
    """The source for a `Source` of `keras_video.zoo`.

    Args:
        settings: the `Source` of the row.
        clip_channels: channels of the model's input; more than two stack the x/y pairs of a flow
            clip.
        joint: the `JointSource` that `settings` belongs to, if any.

    Raises:
        ValueError: for audio.
    """
    if settings.kind == "video":
        return Videos()
    if settings.kind == "rawframes":
        return RawFrames(settings.file_template)
    if settings.kind == "flow":
        return FlowFrames(settings.file_template, stacked=clip_channels > 2)
    if settings.kind == "images":
        return Images(joint.pseudo_clip if joint and joint.pseudo_clip else 1)
    if settings.kind == "untrimmed_video":
        return VideoParts(joint.clip_template)
    raise ValueError(f"received a source of kind {settings.kind!r}, expected frames of some kind")


def joint_sources(row):
    """The sources of a joint training (OmniSource, arXiv:2003.13042), in the order of `row.joint`.

    The tuple is empty for rows that are trained on a single source.
    """
    return tuple(build_source(joint.source, joint=joint) for joint in row.joint)


def joint_protocol(protocol, joint):
    """The protocol of a source of a joint training; image sources use all their frames.

    Args:
        protocol: the protocol of the training.
        joint: the `JointSource`.
    """
    if joint.source.kind != "images":
        return protocol
    still = Sampling(clip_len=joint.pseudo_clip or 1)
    return dataclasses.replace(protocol, sampling=still)


def annotation_format_of(row, phase, kind, file):
    """The annotation format of a list; `None` for JSON, which is self-describing."""
    return None if is_json(file) else row_annotation_format(row, phase, kind)


def source_kind(kind, row, file, root=None):
    """The kind of source of a list; "auto" is resolved by the path in its first line.

    A folder contains frames (of optical flow, for rows that use it), a file is a video or image.
    """
    if kind != "auto":
        return kind
    if is_json(file):
        return source_kind_of_list(file) or "video"
    return kind_of_paths(row, first_paths(file, root, video_lines))


def kind_of_paths(row, paths):
    """The kind of source for the given paths of one example, the default path first."""
    paths = [Path(path) for path in paths]
    if any(path.is_dir() for path in paths):
        row_kind = row.source and row.source.test.kind
        return row_kind if row_kind in ("rawframes", "flow") else "rawframes"
    return "images" if paths and paths[0].suffix.lower() in IMAGE_SUFFIXES else "video"


def _settings(row, phase):
    if row.source is None:
        raise ValueError(f"{row.id} ({row.name}): the row has no data settings")
    return row.source.phase(phase)

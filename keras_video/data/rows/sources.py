"""From what a zoo row says of its data to a source and an annotation format."""

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

    Folders of frames are looked through for the number of their first frame, so lists and frames
    that were made for another start index serve as well.

    Args:
        row: a `keras_video.zoo.Row`.
        kind: another kind than the row's: "video", "rawframes" or "images"; a row of optical
            flow takes "flow" only.

    Raises:
        ValueError: for another kind, or a row of sound (see `keras_video.data.audio_dataset`)
            or without data.
    """
    stated = _stated(row, "test")
    if kind is None or kind == stated.kind:
        return stated_source(stated, clip_channels=row.input_shape[-1])
    plain = {} if stated.kind == "flow" else _PLAIN
    if kind not in plain:
        expected = ", ".join([stated.kind, *plain])
        raise ValueError(f"{row.name}: received kind={kind!r}, expected one of {expected}")
    return plain[kind]()


def source_of_kind(row, kind):
    """`row_source`, or the plain source of this kind where the row says nothing of its data."""
    return _PLAIN[kind]() if row.source is None else row_source(row, kind)


def plain_source_of_list(file):
    """The plain source of shards of frames or images; None for videos and other lists."""
    kind = source_kind_of_list(file)
    return _PLAIN[kind]() if kind in ("rawframes", "images") else None


def row_annotation_format(row, phase, kind=None):
    """How the annotation files of a row's phase are written.

    Args:
        row: a `keras_video.zoo.Row`.
        phase: "train", "val" or "test".
        kind: as in `row_source`.
    """
    stated = _stated(row, phase)
    if stated.with_offset and kind in (None, stated.kind):
        return offset_lines
    return row_source(row, kind).annotation_format


def stated_source(stated, clip_channels=3, joint=None):
    """The source that a `Source` of `keras_video.zoo` describes.

    Args:
        stated: what the row says.
        clip_channels: channels of the model's input; more than two stack the pairs of a flow clip.
        joint: the `JointSource` that `stated` belongs to, if any.

    Raises:
        ValueError: for sound.
    """
    if stated.kind == "video":
        return Videos()
    if stated.kind == "rawframes":
        return RawFrames(stated.file_template)
    if stated.kind == "flow":
        return FlowFrames(stated.file_template, stacked=clip_channels > 2)
    if stated.kind == "images":
        return Images(joint.pseudo_clip if joint and joint.pseudo_clip else 1)
    if stated.kind == "untrimmed_video":
        return VideoParts(joint.clip_template)
    raise ValueError(f"received a source of kind {stated.kind!r}, expected frames of some kind")


def joint_sources(row):
    """The sources of a joint training (OmniSource, arXiv:2003.13042), in the order of `row.joint`.

    A tuple of sources, empty for rows that are trained on one.
    """
    return tuple(stated_source(one.source, joint=one) for one in row.joint)


def joint_protocol(protocol, joint):
    """The protocol of one of the sources of a joint training: all frames of its images.

    Args:
        protocol: of the training.
        joint: the `JointSource`.
    """
    if joint.source.kind != "images":
        return protocol
    still = Sampling(clip_len=joint.pseudo_clip or 1)
    return dataclasses.replace(protocol, sampling=still)


def annotation_format_of(row, phase, kind, file):
    """How a list is written; `None` for JSON, which says so itself."""
    return None if is_json(file) else row_annotation_format(row, phase, kind)


def source_kind(wanted, row, file, root=None):
    """The kind of source that "auto" means for a list: what its first line names.

    A folder holds frames (of optical flow, where the row wants it), a file is a video or image.
    """
    if wanted != "auto":
        return wanted
    if is_json(file):
        return source_kind_of_list(file) or "video"
    return kind_of_paths(row, first_paths(file, root, video_lines))


def kind_of_paths(row, paths):
    """The kind of source that has what is at one of these paths, the usual one first."""
    paths = [Path(path) for path in paths]
    if any(path.is_dir() for path in paths):
        stated = row.source and row.source.test.kind
        return stated if stated in ("rawframes", "flow") else "rawframes"
    return "images" if paths and paths[0].suffix.lower() in IMAGE_SUFFIXES else "video"


def _stated(row, phase):
    if row.source is None:
        raise ValueError(f"{row.id} ({row.name}): the row says nothing of its data")
    return row.source.phase(phase)

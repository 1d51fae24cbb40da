"""From what a zoo row says of its data to a source and a form of annotation file."""

from ..annotations.forms import offset_lines
from ..sources.raw_frames import FlowFrames, RawFrames
from ..sources.videos import Images, VideoParts, Videos


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
    plain = {"video": Videos, "rawframes": RawFrames, "images": Images}
    plain = {} if stated.kind == "flow" else plain
    if kind not in plain:
        expected = ", ".join([stated.kind, *plain])
        raise ValueError(f"{row.name}: received kind={kind!r}, expected one of {expected}")
    return plain[kind]()


def row_form(row, phase, kind=None):
    """How the annotation files of a row's phase are written.

    Args:
        row: a `keras_video.zoo.Row`.
        phase: "train", "val" or "test".
        kind: as in `row_source`.
    """
    stated = _stated(row, phase)
    if stated.with_offset and kind in (None, stated.kind):
        return offset_lines
    return row_source(row, kind).form


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


def _stated(row, phase):
    if row.source is None:
        raise ValueError(f"{row.id} ({row.name}): the row says nothing of its data")
    return row.source.phase(phase)

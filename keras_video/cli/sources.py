"""Command-line flags that the preparation scripts share."""

from keras_video.data.annotations.forms import frame_lines, offset_lines, part_lines, video_lines
from keras_video.data.annotations.records import is_json
from keras_video.data.annotations.tables import json_records
from keras_video.data.sources.raw_frames import FlowFrames, RawFrames
from keras_video.data.sources.videos import Images, VideoParts, Videos

# Sources by name, each with the flags that are for it.
SOURCES = {
    "videos": (Videos, ()),
    "rawframes": (RawFrames, ("template", "start_index")),
    "flow": (FlowFrames, ("template", "start_index", "stacked")),
    "images": (Images, ("frames",)),
    "parts": (VideoParts, ("template",)),
}
FORMS = {
    "video": video_lines,
    "frames": frame_lines,
    "offset": offset_lines,
    "parts": part_lines,
    "json": json_records,
}


def source_flags(parser, required=True):
    """Adds the flags that name a list of examples and say where their frames are."""
    parser.add_argument("--list", required=required, help="annotation file")
    parser.add_argument("--root", help="folder that its paths start from")
    parser.add_argument("--source", choices=SOURCES, default="videos", help="what the paths are")
    parser.add_argument("--template", help="file name of a frame or part, such as img_{:05}.jpg")
    parser.add_argument("--start_index", type=int, help="number of the first frame of every folder")
    parser.add_argument(
        "--stacked", action="store_true", default=None, help="flow: stack the pairs of a clip"
    )
    parser.add_argument("--frames", type=int, help="images: frames that an image counts as")
    parser.add_argument("--form", choices=sorted(FORMS), help="how the lines are written")


def source_of(args):
    """The source and the form of annotation file that the flags of `source_flags` name.

    Raises:
        ValueError: a flag that the source has no use for.
    """
    kind, options = SOURCES[args.source]
    flags = {name: getattr(args, name) for name in ("template", "start_index", "stacked", "frames")}
    given = {name: value for name, value in flags.items() if value is not None}
    for name in given:
        if name not in options:
            takes = " ".join(f"--{one}" for one in options) or "no further flags"
            raise ValueError(f"received --{name} with --source {args.source}, which takes {takes}")
    source = kind(**given)
    if args.form is not None:
        return source, FORMS[args.form]
    return source, json_records if is_json(args.list or "") else source.form

"""Command-line flags that the preparation scripts share."""

from keras_video.data.annotations.forms import frame_lines, offset_lines, part_lines, video_lines
from keras_video.data.annotations.tables import json_records
from keras_video.data.sources.raw_frames import FlowFrames, RawFrames
from keras_video.data.sources.videos import Images, VideoParts, Videos

SOURCES = ("videos", "rawframes", "flow", "images", "parts")
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
    parser.add_argument("--form", choices=sorted(FORMS), help="how the lines are written")


def source_of(args):
    """The source and the form of annotation file that the flags of `source_flags` name."""
    named = {} if args.template is None else {"template": args.template}
    source = {
        "videos": Videos,
        "rawframes": lambda: RawFrames(**named),
        "flow": lambda: FlowFrames(**named),
        "images": Images,
        "parts": lambda: VideoParts(**named),
    }[args.source]()
    if args.form is not None:
        return source, FORMS[args.form]
    return source, json_records if str(args.list).endswith(".json") else source.form

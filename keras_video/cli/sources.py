"""Command-line flags that select the examples to read."""

from pathlib import Path

from keras_video.data.annotations.formats import frame_lines, offset_lines, part_lines, video_lines
from keras_video.data.annotations.records import is_json
from keras_video.data.annotations.shards import check_source, list_of, packed_source_of
from keras_video.data.annotations.tables import json_records
from keras_video.data.pipelines.class_folders import ClassFolders
from keras_video.data.sources.raw_frames import FlowFrames, RawFrames
from keras_video.data.sources.videos import Images, VideoParts, Videos

# Sources by name, each with the flags that apply to it.
SOURCES = {
    "videos": (Videos, ()),
    "rawframes": (RawFrames, ("template", "start_index")),
    "flow": (FlowFrames, ("template", "start_index", "stacked")),
    "images": (Images, ("frames",)),
    "parts": (VideoParts, ("template",)),
}
FORMATS = {
    "video": video_lines,
    "frames": frame_lines,
    "offset": offset_lines,
    "parts": part_lines,
    "json": json_records,
}


def define_source_flags(flags, required=True, sources=SOURCES):
    """Defines the flags for a list of examples and the location of their frames."""
    flags.group("Examples")
    flags.string("list", None, "annotation file, folder of class folders, or shards", required)
    flags.string("data_root", None, "folder that the listed paths are relative to")
    flags.choice("source", "videos", sources, "what the listed paths are")
    flags.string("template", None, "file name of a frame or part, such as img_{:05}.jpg")
    flags.integer("start_index", None, "number of the first frame in each folder")
    flags.switch("stacked", None, "flow: stack the x/y pairs of a clip as channels")
    flags.integer("frames", None, "images: number of frames to repeat an image for")
    flags.choice("annotation_format", None, sorted(FORMATS), "format of the lines")


def source_of(options, sources=SOURCES):
    """The source and annotation format that the flags of `define_source_flags` select.

    Packed shards record their source, so `--source` may be omitted for them.

    Raises:
        ValueError: for a flag that does not apply to the source.
    """
    kind, accepted = sources[options.source]
    packed = packed_source_of(options.list)
    if packed is not None and "source" not in options.given:
        kind, accepted = next(entry for entry in sources.values() if entry[0].__name__ == packed)
    values = {
        name: getattr(options, name) for name in ("template", "start_index", "stacked", "frames")
    }
    given = {name: value for name, value in values.items() if value is not None}
    for name in given:
        if name not in accepted:
            takes = " ".join(f"--{flag}" for flag in accepted) or "no further flags"
            raise ValueError(
                f"received --{name} with --source {options.source}, which takes {takes}"
            )
    source = kind(**given)
    if packed is not None:
        check_source(list_of(options.list), source)
        _reject_list_flags(options, "shards")
        return source, json_records
    if options.list and Path(options.list).is_dir():
        return source, _class_folders(options, source)
    if options.annotation_format is not None:
        return source, FORMATS[options.annotation_format]
    return source, json_records if is_json(options.list or "") else source.annotation_format


def _class_folders(options, source):
    """The annotation format for a folder given as `--list`.

    Raises:
        ValueError: for flags that only apply to lists.
    """
    _reject_list_flags(options, "a folder")
    return ClassFolders(source=source)


def _reject_list_flags(options, kind):
    for name in ("data_root", "annotation_format"):
        if getattr(options, name) is not None:
            raise ValueError(
                f"--{name}={getattr(options, name)}: has no effect, as --list={options.list} is "
                f"{kind}."
            )

"""Decodes every example of a dataset and lists those that fail.

    keras-video check --list train.txt --data_root videos --out bad.csv

    keras-video check --folder videos --out bad.csv

    keras-video check --list shards/train --out bad.csv

The report is a CSV file with the path, the line in the list and the reason for each failure. The
exit status is 1 if there are any.
"""

from pathlib import Path

from keras_video import data
from keras_video.cli.sources import define_source_flags, source_of
from keras_video.data.prepare.checking import check_records, write_report


def define(flags):
    define_source_flags(flags, required=False)
    flags.string("folder", None, "folder to search, in place of a list")
    flags.group("Work")
    flags.string("out", "bad_videos.csv", "CSV file to write")
    flags.integer("workers", None, "examples decoded in parallel", 1)
    flags.number(
        "time_limit", 3600, "seconds per example; one that takes longer counts as a failure", 0
    )


def run(options, _):
    if bool(options.list) == bool(options.folder):
        raise ValueError(
            f"--list={options.list} --folder={options.folder}: expected exactly one of them."
        )
    source, annotation_format = source_of(options)
    if options.list:
        records = data.read_annotations(
            options.list, options.data_root, annotation_format=annotation_format
        )
    else:
        records = [data.Record(str(path), ()) for path in source.find(Path(options.folder))]
    bad = check_records(records, source, options.workers, time_limit=options.time_limit)
    write_report(bad, options.out)
    print(f"{len(bad)} of {len(records)} examples failed to decode; the report is {options.out}")
    return 1 if bad else 0

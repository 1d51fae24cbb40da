"""Decodes every example of a dataset once and lists those that do not decode.

    python recipes/check_videos.py --list train.txt --root videos --report bad.csv

    python recipes/check_videos.py --folder videos --report bad.csv

The report is a CSV file of path, line of the list, reason. The exit status is 1 when it names
anything.
"""

import argparse
import sys
from pathlib import Path

from keras_video import data
from keras_video.data.prepare.checking import check_records, write_report
from keras_video.data.prepare.flags import source_flags, source_of


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    source_flags(parser, required=False)
    parser.add_argument("--folder", help="a folder to search, instead of a list")
    parser.add_argument("--report", default="bad_videos.csv", help="CSV file to write")
    parser.add_argument("--workers", type=int, help="examples decoded at the same time")
    parser.add_argument(
        "--time_limit", type=float, default=3600, help="seconds that one video may take"
    )
    args = parser.parse_args(arguments)
    if bool(args.list) == bool(args.folder):
        parser.error("give either --list or --folder")
    source, form = source_of(args)
    if args.list:
        records = data.read_annotations(args.list, args.root, form=form)
    else:
        records = [data.Record(str(path), ()) for path in source.find(Path(args.folder))]
    bad = check_records(records, source, args.workers, time_limit=args.time_limit)
    write_report(bad, args.report)
    print(f"{len(bad)} of {len(records)} do not decode; the report is {args.report}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""Parsers of published dataset annotations into `Listing`s, for `keras-video prepare lists`.

One function per dataset, from its annotation folder to classes and splits. File names are those
of the usual dataset downloads.
"""

import csv
import io
import json
import re
from pathlib import Path

from keras_video.data.annotations.parsing import repeated_names
from keras_video.data.annotations.records import AnnotationError, numbered_lines, read_text
from keras_video.data.prepare.lists import Entry, Listing


def kinetics(folder):
    """Kinetics-400, 600, 700 (arXiv:1705.06950): `train.csv`, `val.csv` of `label, youtube_id,
    time_start, time_end`; videos are `<id>_<start>_<end>` with six digits each.

    Classes are sorted by name.
    """
    tables = {path.stem: list(_table(path)) for path in _some(folder, "*.csv")}
    tables = {name: rows for name, rows in tables.items() if rows and "label" in rows[0][1]}
    names = sorted({row["label"] for rows in tables.values() for _, row in rows})
    index = {name: number for number, name in enumerate(names)}
    splits = {}
    for split, rows in tables.items():
        splits[_split(split)] = [
            Entry(_kinetics_name(row), (index[row["label"]],)) for _, row in rows
        ]
    return Listing(names, splits)


def _kinetics_name(row):
    start, end = (int(float(row[name])) for name in ("time_start", "time_end"))
    return f"{row['youtube_id']}_{start:06d}_{end:06d}"


def ucf101(folder, split=1):
    """UCF101 (arXiv:1212.0402): `classInd.txt`, `trainlist01.txt`, `testlist01.txt`.

    Args:
        folder: of these files.
        split: 1, 2 or 3.
    """
    names = [line.split()[1] for _, line in numbered_lines(Path(folder, "classInd.txt"))]
    index, splits = _index(names, folder), {}
    for part, name in (("train", "trainlist"), ("val", "testlist")):
        file = Path(folder, f"{name}{split:02}.txt")
        splits[part] = [
            Entry(line.split()[0], (_known(index, line.split("/")[0], file, number),))
            for number, line in numbered_lines(file)
        ]
    return Listing(names, splits)


def hmdb51(folder, split=1):
    """HMDB51 (ICCV 2011): `<class>_test_split1.txt` of `video 1` (training), 2 (test), 0 (neither).

    Args:
        folder: of these files.
        split: 1, 2 or 3.
    """
    ending, splits = f"_test_split{split}.txt", {"train": [], "val": []}
    files = _some(folder, f"*{ending}")
    names = [file.name.removesuffix(ending) for file in files]
    for label, file in enumerate(files):
        for _, line in numbered_lines(file):
            video, use = line.split()
            if use in "12":
                splits["train" if use == "1" else "val"].append(
                    Entry(f"{names[label]}/{video}", (label,))
                )
    return Listing(names, splits)


def something_something_v1(folder):
    """Something-Something V1 (arXiv:1706.04261) and Jester: `*-labels.csv`, `*-train.csv`,
    `*-validation.csv` of `id;label`. Classes are in the order of the labels file.
    """
    (labels,) = _some(folder, "*-labels.csv")
    names = [line for _, line in numbered_lines(labels)]
    index, splits = _index(names, labels), {}
    for split, ending in (("train", "train"), ("val", "validation")):
        (file,) = _some(folder, f"*-{ending}.csv")
        splits[split] = []
        for number, line in numbered_lines(file):
            video, _, label = line.partition(";")
            splits[split].append(Entry(video, (_known(index, label, file, number),)))
    return Listing(names, splits)


jester = something_something_v1


def something_something_v2(folder):
    """Something-Something V2: `*-labels.json` of `{name: index}`, `*-train.json` and
    `*-validation.json` of objects with `id` and `template`, whose brackets are left out.
    """
    (labels,) = _some(folder, "*labels.json")
    index = {name: int(number) for name, number in json.loads(read_text(labels)).items()}
    splits = {}
    for split, ending in (("train", "train"), ("val", "validation")):
        (file,) = _some(folder, f"*{ending}.json")
        splits[split] = [
            Entry(str(row["id"]), (_known(index, re.sub(r"[\[\]]", "", row["template"]), file, 1),))
            for row in json.loads(read_text(file))
        ]
    return Listing(sorted(index, key=index.get), splits)


def diving48(folder):
    """Diving48 (ECCV 2018): `*vocab.json`, `*train.json`, `*test.json` with `vid_name`, `label`."""
    (vocabulary,) = _some(folder, "*vocab.json")
    names = ["_".join(map(str, name)) for name in json.loads(read_text(vocabulary))]
    splits = {}
    for split, ending in (("train", "train"), ("val", "test")):
        (file,) = _some(folder, f"*{ending}.json")
        entries = json.loads(read_text(file))
        splits[split] = [Entry(row["vid_name"], (int(row["label"]),)) for row in entries]
    return Listing(names, splits)


def moments_in_time(folder):
    """Moments in Time (arXiv:1801.03150): `moments_categories.txt` of `name,index`,
    `trainingSet.csv`, `validationSet.csv` of `class/video.mp4,class,...`.
    """
    file = Path(folder, "moments_categories.txt")
    index = {}
    for _, line in numbered_lines(file):
        name, number = line.rsplit(",", 1)
        index[name] = int(number)
    splits = {}
    for split, name in (("train", "trainingSet.csv"), ("val", "validationSet.csv")):
        file = Path(folder, name)
        rows = ((number, line.split(",")) for number, line in numbered_lines(file))
        splits[split] = [
            Entry(path, (_known(index, label, file, number),)) for number, (path, label, *_) in rows
        ]
    return Listing(sorted(index, key=index.get), splits)


def activitynet(folder, clips=False):
    """ActivityNet (CVPR 2015): `activity_net*.json`; videos are `v_<id>`.

    Args:
        folder: of this file.
        clips: list every annotated segment instead of whole videos, which have the label of their
            first segment.
    """
    (file,) = _some(folder, "activity_net*.json")
    database = json.loads(read_text(file))["database"]
    names = sorted({part["label"] for video in database.values() for part in video["annotations"]})
    index, splits = {name: number for number, name in enumerate(names)}, {"train": [], "val": []}
    places = {"training": "train", "validation": "val"}
    for video_id, video in database.items():
        if video["subset"] not in places or not video["annotations"]:
            continue
        for annotation in video["annotations"] if clips else video["annotations"][:1]:
            segment = None
            if clips:
                times = annotation["segment"]
                start, end = (min(seconds / video["duration"], 1.0) for seconds in times)
                segment = (start, end)
            entry = Entry(f"v_{video_id}", (index[annotation["label"]],), segment)
            splits[places[video["subset"]]].append(entry)
    return Listing(names, splits)


def gym(folder, classes=99):
    """FineGym (arXiv:2004.06704): `gym99_train_element*.txt`, `gym99_val_element*.txt` of
    `video label`, for videos of one element each; `gym99_categories*.txt` with the names.

    Args:
        folder: of these files.
        classes: 99 or 288.
    """
    (file,) = _some(folder, f"gym{classes}_categories*.txt")
    names = [line.rsplit(";", 1)[-1].strip() for _, line in numbered_lines(file)]
    splits = {}
    for split in ("train", "val"):
        (file,) = _some(folder, f"gym{classes}_{split}_element*.txt")
        rows = (line.split() for _, line in numbered_lines(file))
        splits[split] = [Entry(video, (int(label),)) for video, label in rows]
    return Listing(names, splits)


DATASETS = {
    "activitynet": activitynet,
    "diving48": diving48,
    "gym": gym,
    "hmdb51": hmdb51,
    "jester": jester,
    "kinetics": kinetics,
    "moments_in_time": moments_in_time,
    "something_something_v1": something_something_v1,
    "something_something_v2": something_something_v2,
    "ucf101": ucf101,
}


def _some(folder, pattern):
    files = sorted(Path(folder).glob(pattern))
    if not files:
        raise FileNotFoundError(f"received {folder}, expected it to hold a file {pattern}")
    return files


def _table(file):
    reader = csv.DictReader(io.StringIO(read_text(file), newline=""), skipinitialspace=True)
    return ((reader.line_num, row) for row in reader)


def _split(name):
    """The split that a file name refers to."""
    for split, words in (("train", ("train",)), ("val", ("val",)), ("test", ("test",))):
        if any(word in name.lower() for word in words):
            return split
    return name


def _index(names, file):
    """The label of each class name.

    Raises:
        AnnotationError: a name occurs twice.
    """
    for name, places in repeated_names(names).items():
        raise AnnotationError(
            f"{file}: received the class name {name!r} for labels {places}, expected one of them"
        )
    return {name: label for label, name in enumerate(names)}


def _known(index, name, file, line):
    if name not in index:
        raise AnnotationError(f"{file}:{line}: received class {name!r}, which has no index")
    return index[name]

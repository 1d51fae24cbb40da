"""Your own data

A loader needs the paths of the examples, their labels, which frames to read, and which transforms
to apply. This page covers every way to specify paths and labels:
folders, lists, CSV, JSON; videos, folders of frames, optical flow, images, parts of long videos,
packed files, audio.
"""

# %% [markdown]
# ## Sampling and transforms
#
# A *sampler* selects the frames to read: here one frame from each of four equal parts of the video,
# at random in training. *Transforms* work on a whole clip, with the same random parameters for all
# of its frames. Rows of the zoo have both: `data.row_sampling(row, "train")` and
# `data.row_transforms(row, "train")`.

# %%
import json
from pathlib import Path

import numpy as np

from keras_video import data

data.make_moving_shapes("made", videos_per_class=3, val_videos_per_class=1, frames=12, size=64)
sampling = data.SampleFrames(clip_len=1, num_clips=4)
transforms = [
    data.Resize(short_side=56),
    data.CenterCrop(48),
    data.Normalize((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
]
options = {"sampling": sampling, "transforms": transforms, "batch_size": 2}


def show(dataset):
    clips, labels = next(iter(dataset))
    print(clips.shape, clips.dtype.name, labels.numpy().tolist())
    return clips, labels


# %% [markdown]
# ## A folder for each class
#
# The sorted folder names are the classes; hidden files and files that are not videos are
# ignored. A class without videos is an error that names it.

# %%
train = data.video_dataset_from_directory(
    "made/train", **options, validation_split=0.34, subset="training", training=True
)
show(train)
print(train.class_names, len(train.file_paths))

# %% [markdown]
# ## A list: `path label`
#
# Paths are relative to `root` and may contain spaces; a line may have several labels. Labels are
# checked when the list is read: errors name the file and line.

# %%
Path("train.txt").write_text(
    "train/red_circle/0000.mp4 2\ntrain/blue_circle/0001.mp4 0\ntrain/blue_circle/0002.mp4 0 3\n"
)
clips, labels = show(
    data.video_dataset("train.txt", "made", classes=4, multi_label=True, **options)
)
np.testing.assert_array_equal(labels[0], [0, 0, 1, 0])
data.check_files(data.read_annotations("train.txt", "made"))  # names files that do not exist

# %% [markdown]
# ## CSV and JSON
#
# `data.CsvTable` reads the columns that you name; with `class_names`, labels are names. JSON,
# recognized by the file extension, is a list of objects with `filename` (or `frame_dir`,
# `video_dir`) and `label`.

# %%
Path("train.csv").write_text("video,class\ntrain/red_circle/0000.mp4,red\n")
table = data.CsvTable(class_names=["blue", "green", "red"], path="video", label="class")
show(data.video_dataset("train.csv", "made", annotation_format=table, **options))

Path("train.json").write_text(
    json.dumps([{"filename": "train/red_circle/0000.mp4", "label": 2}], indent=1)
)
show(data.video_dataset("train.json", "made", **options))

# %% [markdown]
# Tags in several categories, only some of which are annotated for a video (as in HVU): classes of a
# category without annotation are `-1` in the labels, and the losses of `keras_video.training`
# ignore them.

# %%
Path("tags.json").write_text(
    json.dumps([{"filename": "train/red_circle/0000.mp4", "label": {"action": [1]}}])
)
tags = data.TaggedJson({"action": 3, "scene": 2})
_, labels = show(
    data.video_dataset(
        "tags.json",
        "made",
        annotation_format=tags,
        classes=tags.classes,
        multi_label=True,
        **options,
    )
)
np.testing.assert_array_equal(labels[0], [0, 1, 0, -1, -1])

# %% [markdown]
# ## A custom format
#
# A format is a function that takes the file and returns its records. Anything that Python can read
# can become a list of `data.Record`.


# %%
def semicolons(file):
    for number, line in enumerate(Path(file).read_text().splitlines(), 1):
        label, path = line.split(";")
        yield data.Record(path, (int(label),), str(file), number)


Path("train.scsv").write_text("2;train/red_circle/0000.mp4\n")
show(data.video_dataset("train.scsv", "made", annotation_format=semicolons, **options))

records = [data.Record("made/train/red_circle/0000.mp4", (2,))]
show(data.dataset_from_records(records, **options))

# %% [markdown]
# ## Folders of frames, optical flow, images
#
# `keras-video prepare frames --videos videos --out frames` writes them. Lines are then `path frames
# label`, and `source=` specifies the file name template; a folder of class folders works as well.
# `data.FlowFrames` reads pairs of gray images for x and y; their clips have two channels per frame.
# `data.Images` makes a clip from a single image.

# %%
from keras_video.cli.main import main as command

assert command(["prepare", "frames", "--videos", "made/train", "--out", "frames"]) == 0
Path("frames.txt").write_text("red_circle/0000 12 2\n")
frames = data.RawFrames("img_{:05}.jpg")
show(data.video_dataset("frames.txt", "frames", source=frames, **options))
show(data.video_dataset_from_directory("frames", source=frames, **options))

# %% [markdown]
# Parts of longer videos are lines `path offset frames label`, read with `data.offset_lines`; videos
# that are split into numbered files have lines `path label parts [positive part ...]`, and
# `source=data.VideoParts()`.

# %%
Path("parts.txt").write_text("red_circle/0000 4 8 2\n")
show(
    data.video_dataset(
        "parts.txt", "frames", source=frames, annotation_format=data.offset_lines, **options
    )
)

# %% [markdown]
# ## Packed files
#
# Many small files are slow on network disks. `keras-video pack` puts the files of a list,
# unchanged, into a few large ones: TFRecords, or tar files that the library webdataset reads
# (`--container tar`). The folder of these shards is accepted wherever a list is, and the batches
# are bit-identical to those of the files: an index stores where each file begins, so an epoch is
# shuffled over all examples and every example occurs once, for any number of shards and workers.

# %%
pack = ["pack", "--list", "made/train.txt", "--data_root", "made", "--shards", "2"]
assert command([*pack, "--out", "shards"]) == 0
packed, _ = show(data.video_dataset("shards", **options))
files, _ = show(data.video_dataset("made/train.txt", "made", **options))
assert np.array_equal(packed, files)

# %% [markdown]
# `keras-video train --train_list shards/train --val_list shards/val` trains on shards;
# `--data shards` holds out a part of a single folder; for packed class folders, it is the same part
# as for the folders themselves. Class names known to `pack`, from the folders or `--class_names`,
# are in `manifest.json`, with counts and hashes; it also records folders of frames, images and
# audio (`--source`). `--verify` checks the hashes and names the damaged shards and examples.

# %%
assert command(["pack", "--verify", "--out", "shards"]) == 0
manifest = json.loads(Path("shards/manifest.json").read_text())
print(manifest["examples"], manifest["bytes"], list(manifest["finished"]))

# %% [markdown]
# For millions of files: a run that was stopped or killed resumes when the same command is run
# again, without rewriting finished shards; with other settings or another list, it reports what
# differs. `--engine ray --ray_address auto --workers 64` packs on a cluster with a shared disk,
# with byte-identical results. `--short_side 256` re-encodes videos at a smaller size.
#
# Object stores read whole files fast and parts of them slowly: `data.tfrecord_dataset` reads
# TFRecord shards sequentially, also from `gs://...`. The clips are the same, but an epoch is
# shuffled only within a buffer.

# %%
show(data.tfrecord_dataset("shards", **options))

# %% [markdown]
# ## Audio
#
# `data.audio_dataset` reads the audio of videos and audio files, `data.audiovisual_dataset` both
# together; rows with audio define how, so `data.row_dataset` is enough.

# %%
from keras_video import zoo

shapes = data.make_audio_shapes("audio_shapes", videos_per_class=1, val_videos_per_class=1)
row = zoo.row("audio_r18_40x1x1_audio_shapes")
show(data.row_dataset(row, shapes.train_list, "train", shapes.root, batch_size=2))

# %% [markdown]
# ## Damaged files
#
# `keras-video check --folder videos` decodes every file once and lists those that cannot be
# decoded. Without it, `on_error="raise"` stops with the file's name and line; `"skip"` and
# `"replace"` continue and report at the end of every epoch what was left out.

# %%
Path("made/train/red_circle/broken.mp4").write_bytes(b"no video")
report = data.DecodeReport()
for _ in data.video_dataset_from_directory("made/train", **options, on_error="skip", report=report):
    pass
print(report.count, report.failures[0].path)

# %% [markdown]
# ## Imbalanced classes and several sources
#
# `shuffle=data.ClassBalanced()` draws a class first and then one of its videos; `data.repeated`
# repeats a short list; `data.joint_dataset` alternates between several datasets.

# %%
balanced = data.video_dataset(
    "made/train.txt", "made", **options, training=True, shuffle=data.ClassBalanced()
)
joint = data.joint_dataset([data.MixSource(balanced), data.MixSource(train, ratio=2)])
print([labels.shape[0] for _, labels in joint.take(3)])

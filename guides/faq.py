"""Questions and errors

Common error messages, their causes and their fixes. Running this page raises every message on it
from the code below it, so these are the messages that you see.
"""

# %% [markdown]
# `error` asserts that its block raises an error whose message contains the given text; `command`
# runs `keras-video` and asserts that it fails with that text on stderr.

# %%
import contextlib
import io
import os
import shutil
from pathlib import Path

import numpy as np

import keras_video
from keras_video import applications, data, training, zoo
from keras_video.applications.preprocessing import decode_predictions
from keras_video.cli.main import main


@contextlib.contextmanager
def error(text):
    try:
        yield
    except Exception as raised:
        assert text in " ".join(str(raised).split()), f"expected {text!r}, received {raised}"
    else:
        raise AssertionError(f"no error, expected {text!r}")


def command(words, text):
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        status = main(words.split())
    assert status and text in errors.getvalue(), f"expected {text!r}, received {errors.getvalue()}"


data.make_moving_shapes("made", videos_per_class=2, val_videos_per_class=1, frames=12, size=64)
VIDEO = "made/val/red_circle/0000.mp4"
row = zoo.resized(zoo.row("tsn_r18_1x1x4_moving_shapes"), 48)
options = {
    "sampling": data.row_sampling(row, "val"),
    "transforms": data.row_transforms(row, "val"),
}
model = row.model(classes=["blue", "green", "red", "yellow"], input_shape=row.input_shape)
model.save("four.keras")

# %% [markdown]
# ## Data
#
# ### A label without a class
#
# Labels start at 0: four classes have the labels 0 to 3. Lists of some other projects start at 1.

# %%
Path("list.txt").write_text("train/red_circle/0000.mp4 4\n")
with error("list.txt:1: received label 4, expected a class index in [0, 4)"):
    data.video_dataset("list.txt", "made", classes=4, **options)

# %% [markdown]
# ### A list with commas or class names
#
# Lines are `path label`, separated by spaces, where the label is a number. `data.CsvTable` reads
# comma-separated files and, with `class_names`, class names; see [Your own data](your_data.md).

# %%
Path("commas.txt").write_text("train/red_circle/0000.mp4,2\n")
with error("words are separated by spaces; `CsvTable` reads commas"):
    data.video_dataset("commas.txt", "made", **options)

Path("names.txt").write_text("train/red_circle/0000.mp4 red\n")
with error("the last word 'red' is not an integer"):
    data.video_dataset("names.txt", "made", **options)

# %% [markdown]
# ### Missing videos
#
# Paths in a list are relative to `root` (`--data_root`). The commands check them before the first
# step; in Python, call `data.check_files`. `on_error="skip"` continues without the missing videos
# and reports their number.

# %%
Path("lost.txt").write_text("train/red_circle/0000.mp4 2\ntrain/red_circle/9999.mp4 2\n")
with error("1 of 2 annotated videos do not exist: lost.txt:2: no file made/train/red_circle/9999"):
    data.check_files(data.read_annotations("lost.txt", "made"))

# %% [markdown]
# ### A class folder without videos
#
# Every folder is a class. Videos are recognized by their file extensions;
# `data.Videos(suffixes=...)` accepts others.

# %%
Path("clips/jump").mkdir(parents=True)
Path("clips/run").mkdir()
shutil.copy(VIDEO, "clips/jump")
with error("received clips, whose sub-folders ['run'] have no examples for Videos("):
    data.video_dataset_from_directory("clips", **options)
command(
    "train --row tsn_r18_1x1x4_moving_shapes --data clips --work_dir run",
    "no videos in clips/run: put some there, or remove the folder",
)

# %% [markdown]
# ### A video that cannot be decoded
#
# The file is damaged or not a video. `keras-video check --folder videos` finds all such files;
# `on_error="skip"` or `"replace"` trains without them.

# %%
Path("bad.mp4").write_bytes(b"none")
with error("cannot decode bad.mp4: Invalid data found when processing input"):
    data.open_video("bad.mp4")

# %% [markdown]
# ### Fewer videos than a batch

# %%
with error("received 8 videos and batch_size=100, expected at least that many videos"):
    data.row_dataset(row, "made/train", "train", batch_size=100, drop_remainder=True)

# %% [markdown]
# ### Views in training
#
# The `"test"` transforms produce several views per video, which only evaluation supports. Train
# with `"train"`, validate with `"val"`.

# %%
several_views = {**options, "transforms": data.row_transforms(row, "test")}
with error("in training: crops with several views are for evaluation"):
    data.video_dataset("made/train.txt", "made", training=True, **several_views)

# %% [markdown]
# ## Models and weights
#
# ### A shape that the model does not accept
#
# The number of frames and their size are part of a model's input shape. Build it with
# `input_shape=(None, None, None, 3)` where the network allows it, or with the shape of your clips.
# Several views of a video form an axis before the frames:
# `(batch, views, frames, height, width, channels)`.

# %%
with error("expected shape=(None, 4, 48, 48, 3), found shape=(1, 8, 48, 48, 3)"):
    model.predict(np.zeros((1, 8, 48, 48, 3), "float32"), verbose=0)

# %% [markdown]
# ### Weights for another number of classes
#
# A weights file is loaded unchanged. To start from a model with other classes, use
# `zoo.initial_model(row, "four.keras", classes=7)` or `keras-video train --weights four.keras`:
# they skip its classifier. `row.model(weights=True, classes=7)` does the same with published
# weights.

# %%
with error("weight shape (512, 7) is not compatible with provided weight shape (512, 4)"):
    row.model("four.keras", classes=7)
print(zoo.initial_model(row, "four.keras", classes=7).output_shape)

# %% [markdown]
# ### 400 class names for other scores
#
# `decode_predictions` defaults to Kinetics-400: pass `model=` or `class_names=`.

# %%
with error("expected (batch, 400) or (400,), for the 400 names of kinetics400"):
    decode_predictions(np.ones((1, 4)))
print(decode_predictions(np.eye(4)[:1], top=1, model=model))

# %% [markdown]
# ### A row that is not found
#
# `keras-video zoo "*tsn*r50*"` and `zoo.search` find rows. If several rows share a name (the same
# network, tested on other videos), the commands ask for the id.

# %%
with error("'tsn_r50' is not the name or id of a row. Did you mean"):
    zoo.row("tsn_r50")
command(
    "train --row i3d_r50_32x2x1_100e_kinetics400_rgb --data made/train",
    "2 rows are named 'i3d_r50_32x2x1_100e_kinetics400_rgb', give the id of one: t02_r00",
)

# %% [markdown]
# ### No network, or only a mirror
#
# Published weights are downloaded once and cached in the Keras home directory. On a machine without
# a network connection, put the file into the folder that `KERAS_VIDEO_WEIGHTS` names; the error
# says which file. `keras-video convert --all --to mirror` fills a folder with all of them, and
# `KERAS_VIDEO_MIRROR` makes that folder the only source, as here:

# %%
Path("mirror").mkdir()
os.environ["KERAS_VIDEO_MIRROR"] = "mirror"
with error("has no tsn_r50_1x1x3_100e_kinetics400_rgb_20200614-e508be42.pth"):
    zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb").model(weights=True)
del os.environ["KERAS_VIDEO_MIRROR"]

# %% [markdown]
# ### A model without a test protocol
#
# A model that was not built from a row has no test protocol. Set one, or pass `sampling` and
# `transforms`.

# %%
plain = applications.TSN(backbone="resnet18", classes=2, input_shape=(4, 48, 48, 3))
with error("has preprocessing=None: pass `sampling` and `transforms`, or set `model.protocol"):
    keras_video.predict_video(plain, VIDEO)
plain.protocol = row.protocol("test")
print(keras_video.predict_video(plain, VIDEO).shape)

# %% [markdown]
# ### Frames that are not pixels
#
# `classify` takes decoded frames, uint8 from 0 to 255, and normalizes them itself.

# %%
with error("expected frames (frames, height, width, 3) of uint8"):
    keras_video.classify(np.zeros((8, 64, 64, 3), "float32"), model)

# %% [markdown]
# ### A URL instead of a file
#
# Opening a URL requires an explicit `allow_url=True`.

# %%
with error("pass allow_url=True to open addresses"):
    keras_video.classify("https://example.org/clip.mp4", model)

# %% [markdown]
# ## Training
#
# ### The loss is not finite
#
# Usually the learning rate is too high for the batch size: the learning rate of a row is for
# `row.batch_size` videos, and `training.LearningRateScaling` scales it to yours, as `keras-video
# train` does. `keras-video train --lr_find` plots the loss over the learning rate.

# %%
plain.compile(training.SGD(1e8), "sparse_categorical_crossentropy")
with error("Try a lower learning rate or gradient clipping."):
    noise = np.random.default_rng(0).normal(size=(8, 4, 48, 48, 3)).astype("float32")
    plain.fit(noise, np.arange(8) % 2, 4, 3, verbose=0, callbacks=[training.StopWhenDiverged()])

# %% [markdown]
# ### A run resumed with other settings
#
# A run that is started again in its folder resumes where it stopped, but only with the same
# settings.

# %%
run = "train --row tsn_r18_1x1x4_moving_shapes --data made/train --size 32 --work_dir work"
run += " --batch_size 4 --views 1x1 --validation_split 0.5"
assert main(f"{run} --epochs 1".split()) == 0
command(f"{run} --epochs 1 --seed 3", "seed 0 -> 3: use --noresume or another --work_dir")

# %% [markdown]
# ### A layer that does not exist

# %%
with error("freeze_until('layer9'): 'tsn' has no layer of this name or prefix."):
    plain.freeze_until("layer9")
with error("is not a transformer"):
    plain.enable_lora(4)

# %% [markdown]
# ## Other
#
# ### No camera
#
# Cameras are numbered; the message lists those that are available.

# %%
command("webcam --camera 97 --headless", "cannot decode 97: there is no camera at")

# %% [markdown]
# ### An unknown flag
#
# Every command lists its flags with `--help`.

# %%
command("train --datas clips", "Unknown command line flag 'datas'. Did you mean: data")

# %% [markdown]
# ### Questions without an error
#
# - **Why is the accuracy lower than the published one?** It holds for the test protocol:
#   use `"test"`, not `"val"`, and videos stored at the size that the row states. See
#   [Evaluate and compare](evaluate_and_compare.md).
# - **Why is prediction slow?** A protocol may use 250 views of a video: `views=(1, 1)`
#   uses one.
# - **Why are scores a little different on another machine?** Float32 values are summed in
#   another order. On x86 without AVX-512 VNNI, TensorFlow's oneDNN is off unless `keras_video`
#   is imported first.
# - **Does it work without TensorFlow?** The loaders are `tf.data`, so TensorFlow is installed in
#   any case; networks, training with `fit` and prediction run on JAX and PyTorch too.
# - **Which license do the weights have?** `row.license`, which `keras-video zoo` prints; `None`
#   if it has not been determined.

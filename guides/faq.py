"""Questions and errors

The messages that people meet, why they come, and what to do. Every message on this page is raised
by the code below it when the page is run, so they are the ones that you see.
"""

# %% [markdown]
# `error` holds that what is inside ends with an error whose message contains a text; `command` runs
# `keras-video` and gives its exit status and what it said.

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
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        status = main(words.split())
    assert status and text in said.getvalue(), f"expected {text!r}, received {said.getvalue()}"


data.make_moving_shapes("made", videos_per_class=2, val_videos_per_class=1, frames=12, size=64)
VIDEO = "made/val/red_circle/0000.mp4"
row = zoo.resized(zoo.row("tsn_r18_1x1x4_moving_shapes"), 48)
how = {
    "sampling": data.row_sampling(row, "val"),
    "transforms": data.row_transforms(row, "val"),
}
model = row.model(classes=["blue", "green", "red", "yellow"], input_shape=row.input_shape)
model.save("four.keras")

# %% [markdown]
# ## Data
#
# ### A label that there is no class for
#
# Labels count from 0: four classes have the labels 0 to 3. Lists of other projects count from 1.

# %%
Path("list.txt").write_text("train/red_circle/0000.mp4 4\n")
with error("list.txt:1: received label 4, expected a class index in [0, 4)"):
    data.video_dataset("list.txt", "made", classes=4, **how)

# %% [markdown]
# ### A list with commas, or with names of classes
#
# Lines are `path label`, separated by spaces, the label a number. `data.CsvTable` reads commas and,
# with `class_names`, names; see [Your own data](your_data.md).

# %%
Path("commas.txt").write_text("train/red_circle/0000.mp4,2\n")
with error("words are separated by spaces; `CsvTable` reads commas"):
    data.video_dataset("commas.txt", "made", **how)

Path("names.txt").write_text("train/red_circle/0000.mp4 red\n")
with error("the last word 'red' is not an integer"):
    data.video_dataset("names.txt", "made", **how)

# %% [markdown]
# ### Videos that are not there
#
# Paths of a list start from `root` (`--data_root`). The commands look before the first step; in
# Python, `data.check_files` does. `on_error="skip"` goes on without them and says how many.

# %%
Path("lost.txt").write_text("train/red_circle/0000.mp4 2\ntrain/red_circle/9999.mp4 2\n")
with error("1 of 2 annotated videos do not exist: lost.txt:2: no file made/train/red_circle/9999"):
    data.check_files(data.read_annotations("lost.txt", "made"))

# %% [markdown]
# ### A class folder without videos
#
# Every folder is a class. Files are taken for videos by their endings: `data.Videos(suffixes=...)`
# takes others.

# %%
Path("clips/jump").mkdir(parents=True)
Path("clips/run").mkdir()
shutil.copy(VIDEO, "clips/jump")
with error("received clips, whose sub-folders ['run'] have nothing for Videos("):
    data.video_dataset_from_directory("clips", **how)
command(
    "train --row tsn_r18_1x1x4_moving_shapes --data clips --work_dir run",
    "no videos in clips/run: put some there, or remove the folder",
)

# %% [markdown]
# ### A video that does not decode
#
# The file is damaged or no video. `keras-video check --folder videos` finds all of them once;
# `on_error="skip"` or `"replace"` trains without them.

# %%
Path("bad.mp4").write_bytes(b"none")
with error("cannot decode bad.mp4: Invalid data found when processing input"):
    data.open_video("bad.mp4")

# %% [markdown]
# ### Fewer videos than a batch

# %%
with error("received 8 videos and batch_size=100, expected at least as many videos"):
    data.row_dataset(row, "made/train", "train", batch_size=100, drop_remainder=True)

# %% [markdown]
# ### Views in training
#
# The transforms of `"test"` give several views of a video, which only an evaluation takes. Train
# with `"train"`, validate with `"val"`.

# %%
several = {**how, "transforms": data.row_transforms(row, "test")}
with error("in training: crops that give several views are for evaluation"):
    data.video_dataset("made/train.txt", "made", training=True, **several)

# %% [markdown]
# ## Models and weights
#
# ### Another shape than the model takes
#
# The number of frames and the size are part of a model's input. Build it with `input_shape=(None,
# None, None, 3)` where the network allows it, or with that of your clips. Several views of a video
# are an axis before the frames: `(batch, views, frames, height, width, channels)`.

# %%
with error("expected shape=(None, 4, 48, 48, 3), found shape=(1, 8, 48, 48, 3)"):
    model.predict(np.zeros((1, 8, 48, 48, 3), "float32"), verbose=0)

# %% [markdown]
# ### Weights of another number of classes
#
# A file of weights is loaded as it is. To start from a model with other classes, take
# `zoo.started_model(row, "four.keras", classes=7)` or `keras-video train --weights four.keras`:
# they leave its classifier out. So does `row.model(weights=True, classes=7)` with published
# weights.

# %%
with error("weight shape (512, 7) is not compatible with provided weight shape (512, 4)"):
    row.model("four.keras", classes=7)
print(zoo.started_model(row, "four.keras", classes=7).output_shape)

# %% [markdown]
# ### Names of 400 classes for other scores
#
# `decode_predictions` takes Kinetics-400 if nothing else is said: give `model=`, or `class_names=`.

# %%
with error("expected (batch, 400) or (400,), for the 400 names of kinetics400"):
    decode_predictions(np.ones((1, 4)))
print(decode_predictions(np.eye(4)[:1], top=1, model=model))

# %% [markdown]
# ### A row that is not found
#
# `keras-video zoo "*tsn*r50*"` and `zoo.search` find rows. Where several rows have one name (the
# same network, tested on other videos), the commands ask for the id.

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
# Published weights are fetched once and kept under the Keras home. On a machine without a network
# put the file into a folder that `KERAS_VIDEO_WEIGHTS` names; the error says which file.
# `keras-video convert --all --to mirror` fills a folder with all of them, and `KERAS_VIDEO_MIRROR`
# makes it the only place that is asked, as here:

# %%
Path("mirror").mkdir()
os.environ["KERAS_VIDEO_MIRROR"] = "mirror"
with error("has no tsn_r50_1x1x3_100e_kinetics400_rgb_20200614-e508be42.pth"):
    zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb").model(weights=True)
del os.environ["KERAS_VIDEO_MIRROR"]

# %% [markdown]
# ### A model that does not know how it is fed
#
# A model that was not built by a row has no test protocol. Set one, or say what to do.

# %%
plain = applications.TSN(backbone="resnet18", classes=2, input_shape=(4, 48, 48, 3))
with error("has preprocessing=None: give `sampling` and `transforms`, or set `model.protocol"):
    keras_video.predict_video(plain, VIDEO)
plain.protocol = row.protocol("test")
print(keras_video.predict_video(plain, VIDEO).shape)

# %% [markdown]
# ### Frames that are not pixels
#
# `classify` takes frames as they were decoded, uint8 of 0 to 255, and normalizes them itself.

# %%
with error("expected frames (frames, height, width, 3) of uint8"):
    keras_video.classify(np.zeros((8, 64, 64, 3), "float32"), model)

# %% [markdown]
# ### An address in place of a file
#
# Opening what an address names is a decision: `allow_url=True`.

# %%
with error("pass allow_url=True to open addresses"):
    keras_video.classify("https://example.org/clip.mp4", model)

# %% [markdown]
# ## Training
#
# ### The loss is not finite
#
# The rate is too high for the batch, most of the time: rates of rows are meant for `row.batch_size`
# videos, and `training.LearningRateScaling` fits them to yours, as `keras-video train` does.
# `keras-video train --lr_find` draws the loss over the rate.

# %%
plain.compile(training.SGD(1e8), "sparse_categorical_crossentropy")
with error("Try a lower learning rate or clipped gradients."):
    noise = np.random.default_rng(0).normal(size=(8, 4, 48, 48, 3)).astype("float32")
    plain.fit(noise, np.arange(8) % 2, 4, 3, verbose=0, callbacks=[training.StopWhenDiverged()])

# %% [markdown]
# ### A run goes on with other settings
#
# A run that is started again in its folder goes on where it was, but not under other settings.

# %%
run = "train --row tsn_r18_1x1x4_moving_shapes --data made/train --size 32 --work_dir work"
run += " --batch_size 4 --views 1x1 --validation_split 0.5"
assert main(f"{run} --epochs 1".split()) == 0
command(f"{run} --epochs 1 --seed 3", "seed 0 -> 3: --noresume or another --work_dir")

# %% [markdown]
# ### A layer that there is not

# %%
with error("freeze_until('layer9'): 'tsn' has no layer of this name, or whose name begins so."):
    plain.freeze_until("layer9")
with error("is no transformer, for which LoRA is"):
    plain.enable_lora(4)

# %% [markdown]
# ## Other
#
# ### No camera
#
# Cameras are named by number; the message lists those that are there.

# %%
command("webcam --camera 97 --headless", "cannot decode 97: there is no camera at")

# %% [markdown]
# ### A flag that there is not
#
# Every command lists its flags with `--help`.

# %%
command("train --datas clips", "Unknown command line flag 'datas'. Did you mean: data")

# %% [markdown]
# ### Questions without an error
#
# - **Why is the accuracy lower than the published one?** It belongs to the test protocol: use
#   `"test"`, not `"val"`, and videos of the stored size that the row states. See
#   [Evaluate and compare](evaluate_and_compare.md).
# - **Why is prediction slow?** A protocol may look at a video 250 times: `views=(1, 1)` looks once.
# - **Why are scores a little different on another machine?** Float32 sums in another order. On x86
#   without AVX-512 VNNI, TensorFlow's oneDNN is off unless `keras_video` is imported first.
# - **Does it work without TensorFlow?** The loaders are `tf.data`, so TensorFlow is installed in
#   any case; networks, training with `fit` and prediction run on JAX and PyTorch too.
# - **Which license do the weights have?** `row.license`, and `keras-video zoo` prints it; `None`
#   where it was not read.

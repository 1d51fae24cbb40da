r"""Fine-tune your clips

You have clips in a folder with a sub-folder for each class,

```text
clips/
  jump/  0001.mp4  0002.mp4 ...
  wave/  0001.mp4  0002.mp4 ...
```

and want a model that tells them apart, evaluated and exported. In one command:

```sh
keras-video train --row tsn_r50_1x1x8_100e_kinetics400_rgb --weights kinetics400 \
    --data clips --epochs 10 --batch_size 8 --export litert --work_dir runs/clips
```

Or in eight lines of Python:

```python
from keras_video import data, inference, training, zoo

row = zoo.row("tsn_r50_1x1x8_100e_kinetics400_rgb")
train = data.row_dataset(row, "clips", "train", validation_split=0.2)
test = data.row_dataset(row, "clips", "val", validation_split=0.2)
model = row.model(weights=True, classes=train.class_names)
model.compile(training.SGD(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, validation_data=test, epochs=10)
inference.export_model(model, "clips.tflite", "litert")
```

Both hold out a fifth of every class for evaluation, the same videos in every run. LiteRT and
SavedModel need nothing else, ONNX (`--export onnx`) needs the extra `keras-video[onnx]`. Below, the
same runs on synthetic clips, with a small row that has no weights to download.
"""

# %% [markdown]
# ## The clips

# %%
import json
import subprocess
import sys
from pathlib import Path

from keras_video import data, inference, training, zoo

data.make_moving_shapes("made", videos_per_class=8, val_videos_per_class=1, frames=16, size=64)
Path("made/train").rename("clips")

# %% [markdown]
# ## Eight lines
#
# `keras_video.training.SGD` computes the same updates as PyTorch's SGD, for which published
# learning rates are meant. A rate of 0.001 suits fine-tuning; this network is trained from scratch
# and needs a higher one. `"val"` evaluates one view of a video, `"test"` all views of the row's
# protocol, which takes proportionally longer.

# %%
row = zoo.resized(zoo.row("tsn_r18_1x1x4_moving_shapes"), 48)
train = data.row_dataset(row, "clips", "train", validation_split=0.25)
test = data.row_dataset(row, "clips", "val", validation_split=0.25)
model = row.model(classes=train.class_names, input_shape=row.input_shape)
model.compile(training.SGD(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, validation_data=test, epochs=3, verbose=2)
inference.export_model(model, "clips.tflite", "litert")

# %% [markdown]
# The file describes its inputs and the classes of its scores:

# %%
facts = inference.read_metadata("clips.tflite")
print(facts["class_names"], facts["inputs"])
assert not set(train.file_paths) & set(test.file_paths)

# %% [markdown]
# ## One command
#
# The command does more: it scales the learning rate with the batch size, evaluates with the row's
# test protocol, records curves and a confusion matrix, keeps the best weights, and resumes where it
# stopped when started again. `--size` and `--views` make it quick here; omit them to use the row's.

# %%
command = [sys.executable, "-m", "keras_video", "train", "--row", "tsn_r18_1x1x4_moving_shapes"]
command += ["--data", "clips", "--epochs", "2", "--batch_size", "8", "--export", "litert"]
command += ["--size", "48", "--views", "4x1", "--work_dir", "runs/clips"]
subprocess.run(command, check=True)

metrics = json.loads(Path("runs/clips/metrics.json").read_text())
print({name: metrics[name] for name in ("top1", "mean_class_accuracy", "videos")})
print(sorted(path.name for path in Path("runs/clips").iterdir()))
assert Path("runs/clips/model.tflite").is_file()

# %% [markdown]
# ## Getting better accuracy
#
# - **Few clips** (tens per class): train the classifier alone first, `model.freeze_until("fc_cls")`
#   before `compile`; see [Keras recipes](keras_recipes.md).
# - **The order of the frames matters** (pushing something left or right): choose a row that models
#   motion, such as TSM, SlowOnly or X3D. TSN averages its frames and cannot tell a video from
#   its reverse.
# - **Mirrored clips mean another class** (left hand, right hand): rows mirror clips at random. Pass
#   your own transforms, without `data.Flip`, to `data.video_dataset_from_directory`.
# - **Which row**: `keras-video zoo --dataset kinetics400 --max_gflops 40 --sort top1`.
# - **Which learning rate**: `keras-video train ... --lr_find` plots the loss over the learning
#   rate.

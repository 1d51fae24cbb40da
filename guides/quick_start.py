"""Quick start

Install the package with `pip install keras-video`, and `keras-video[plots]` for plots. A
published model classifies a video in three lines; the first time, this needs a network connection
to download 98 MB of weights:

```python
import keras_video

model = keras_video.applications.TSN(weights="kinetics400")
keras_video.classify("clip.mp4", model, top=5)
```

The rest of this page runs anywhere: it generates small videos, trains a small network on them, and
classifies a video that was not in the training set.
"""

# %% [markdown]
# ## Videos
#
# `make_moving_shapes` generates mp4 files of moving colored shapes, in one folder per class:
# `shapes/train/red_circle/0000.mp4` and so on. Use your own folder instead if you have one.

# %%
import numpy as np

import keras_video
from keras_video import data, training, zoo

data.make_moving_shapes("shapes", videos_per_class=8, val_videos_per_class=2, frames=16, size=64)

# %% [markdown]
# ## A row of the zoo
#
# A *row* is a row of a published table: a network with its weights, its preprocessing, its
# training and test protocol, and the reported accuracy. There are small rows for examples, too.
# This one is TSN on ResNet-18, which takes four frames of a video.

# %%
row = zoo.resized(zoo.row("tsn_r18_1x1x4_moving_shapes"), 48)
print(row, row.input_shape)
print(zoo.table(family="tsn", dataset="kinetics400", sort="top1"))

# %% [markdown]
# ## Datasets
#
# The row defines frame sampling and transforms, so a folder is all it needs.
# Training clips are sampled again in every epoch; `"val"` gives one view of a video.

# %%
train = data.row_dataset(row, "shapes/train", "train")
val = data.row_dataset(row, "shapes/val", "val")
print(train.class_names)
for clips, labels in val.take(1):
    print(clips.shape, labels.numpy())  # (batch, frames, height, width, channels)

# %% [markdown]
# ## Training
#
# A model is a Keras model: `compile`, `fit`, `evaluate`, `predict`, callbacks, all as usual.
# `row.model(weights=True, ...)` would start from the row's published weights.

# %%
model = row.model(classes=train.class_names, input_shape=row.input_shape)
model.compile(training.SGD(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, validation_data=val, epochs=4, verbose=2)

# %% [markdown]
# ## Prediction
#
# `classify` takes a path, a list of paths, or an array of frames, and follows the
# model's `protocol`: which frames, how they are cropped and normalized, how views are averaged.

# %%
for result in keras_video.classify("shapes/val/red_circle/0000.mp4", model, top=2):
    print(f"{result.score:.3f} {result.label}")

frames = data.open_video("shapes/val/red_circle/0000.mp4").read(range(16))
assert keras_video.classify(frames, model)[0].label in train.class_names

# %% [markdown]
# ## Save and load
#
# A `.keras` file holds the weights, the class names and the protocol. `keras_video.load_model`
# inspects the file before Keras opens it, so untrusted files are safe to load.

# %%
model.save("shapes.keras")
loaded = keras_video.load_model("shapes.keras")
np.testing.assert_allclose(
    keras_video.predict_video(loaded, "shapes/val/red_circle/0000.mp4"),
    keras_video.predict_video(model, "shapes/val/red_circle/0000.mp4"),
    atol=1e-5,
)
print(loaded.class_names)

# %% [markdown]
# ## Where to go next
#
# - [Fine-tune your clips](fine_tuning.md) starts from published weights.
# - [Your own data](your_data.md) is about lists, frames, images and several labels.
# - `keras-video zoo --dataset kinetics400 --sort top1` lists the available rows.

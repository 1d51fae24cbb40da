"""Quick start

Install the package with `pip install keras-video`, and `keras-video[plots]` for pictures. A
published model says what a video shows in three lines; this needs a network the first time, when
98 MB of weights are fetched:

```python
import keras_video

model = keras_video.applications.TSN(weights="kinetics400")
keras_video.classify("clip.mp4", model, top=5)
```

The rest of this page runs anywhere: it draws small videos, trains a small network on them, and asks
it about a video that it has not seen.
"""

# %% [markdown]
# ## Videos
#
# `make_moving_shapes` draws mp4 files of colored shapes that move, in a folder for each class:
# `shapes/train/red_circle/0000.mp4` and so on. Put your own folder in its place when you have one.

# %%
import numpy as np

import keras_video
from keras_video import data, training, zoo

data.make_moving_shapes("shapes", videos_per_class=8, val_videos_per_class=2, frames=16, size=64)

# %% [markdown]
# ## A row of the zoo
#
# A *row* is a row of a published table: a network with its weights, how clips are made for it, how
# it was trained and tested, and the accuracy that was reported. There are small rows for examples,
# too. This one is TSN on ResNet-18, which sees four frames of a video.

# %%
row = zoo.resized(zoo.row("tsn_r18_1x1x4_moving_shapes"), 48)
print(row, row.input_shape)
print(zoo.table(family="tsn", dataset="kinetics400", sort="top1"))

# %% [markdown]
# ## Datasets
#
# The row knows which frames are taken and what is done to them, so that a folder is all it needs.
# Training clips are drawn anew in every epoch; `"val"` gives one view of a video.

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
# `classify` takes a path, a list of paths, or an array of frames, and does what the model's
# `protocol` says: which frames, how they are cut and normalized, how views are averaged.

# %%
for found in keras_video.classify("shapes/val/red_circle/0000.mp4", model, top=2):
    print(f"{found.score:.3f} {found.label}")

frames = data.open_video("shapes/val/red_circle/0000.mp4").read(range(16))
assert keras_video.classify(frames, model)[0].label in train.class_names

# %% [markdown]
# ## Save and load
#
# A `.keras` file keeps the weights, the class names and the protocol. `keras_video.load_model`
# looks through the file before Keras opens it, so it is safe for files from others.

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
# - `keras-video zoo --dataset kinetics400 --sort top1` prints what there is.

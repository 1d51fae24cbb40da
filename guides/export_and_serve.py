"""Export and serve

A trained model becomes a file that runs without this package and without Keras: a SavedModel for
TensorFlow and its server, ONNX for ONNX Runtime and many others, LiteRT for phones and small
devices. Programs for each, from a video file to scores, are in
[Serving](../applications/serving.md); which family goes into which format is in
[Exported models](../applications/export.md).
"""

# %% [markdown]
# ## A model
#
# Random weights do here: a file computes what the model computes, whatever that is.

# %%
import importlib.util
from pathlib import Path

import numpy as np

from keras_video import data, inference, zoo

data.make_moving_shapes("made", videos_per_class=2, val_videos_per_class=2, frames=16, size=64)
row = zoo.resized(zoo.row("tsn_r18_1x1x4_moving_shapes"), 48)
val = data.row_dataset(row, "made/val", "val")
model = row.model(classes=val.class_names, input_shape=row.input_shape)

# %% [markdown]
# ## Clips in, scores out
#
# Every file has the input `clip` (normalized float32) and the output `scores`; the batch is open.
# The classes and how clips are made are in the file too. `fold_batch_norm` puts the norms into the
# convolutions: the same scores from fewer operations.

# %%
small = inference.fold_batch_norm(model)
inference.export_model(small, "clips.tflite", "litert")
facts = inference.read_metadata("clips.tflite")
print(facts["inputs"], facts["class_names"])
print(facts["preprocessing"]["normalize"])

# %% [markdown]
# Compared with Keras on clips of real videos, by the best class, the largest difference, and the
# accuracy of both:

# %%
print(inference.compare_exported("clips.tflite", model, val))

# %% [markdown]
# ## Pixels in, scores out
#
# With `pixels=True` the file takes uint8 frames and normalizes them itself; with `frame_size` it
# resizes and crops them too, so that whoever calls it only decodes. `(None, None)` is any size.

# %%
inference.export_model(small, "pixels.tflite", "litert", pixels=True, frame_size=(None, None))
run = inference.load_exported("pixels.tflite")
video = data.open_video("made/val/red_circle/0000.mp4")
frames = video.read(data.row_sampling(row, "val")(video.total_frames, training=False)[:, 0])
scores = np.asarray(run(frames[None]))
print(frames.shape, frames.dtype, scores.round(3))

# %% [markdown]
# ## Fewer bits
#
# `quantize="float16"` halves a LiteRT file, `"int8"` quarters its weights; with `calibration`,
# clips from which ranges are taken, LiteRT computes in int8 where it can. What it costs is a
# question to your data: `compare_exported` answers it. ONNX has `"int8"`.

# %%
inference.export_model(small, "half.tflite", "litert", quantize="float16")
inference.export_model(
    small, "bytes.tflite", "litert", quantize="int8", calibration=val, batch_size=1
)
for name in ("clips.tflite", "half.tflite", "bytes.tflite"):
    size = Path(name).stat().st_size / 1e6
    print(f"{name}: {size:.1f} MB; {inference.compare_exported(name, model, val)}")

# %% [markdown]
# ## TensorFlow Serving
#
# A SavedModel has the signature `serving_default`. The server takes a folder of numbered versions:
#
# ```sh
# docker run -p 8501:8501 -v $PWD/shapes:/models/shapes -e MODEL_NAME=shapes tensorflow/serving
# ```
#
# The server is not part of what runs here; its signature is:

# %%
import tensorflow as tf

inference.export_model(small, "shapes/1", "tf_saved_model", pixels=True, frame_size=(None, None))
predict = tf.saved_model.load("shapes/1").signatures["serving_default"]
served = predict(pixels=tf.constant(frames[None]))["scores"].numpy()
np.testing.assert_allclose(served, scores, atol=1e-4)

# %% [markdown]
# ## ONNX
#
# `pip install keras-video[onnx]` first.

# %%
if all(importlib.util.find_spec(name) for name in ("onnx", "tf2onnx", "onnxruntime")):
    inference.export_model(small, "clips.onnx", "onnx")
    print(inference.compare_exported("clips.onnx", model, val))
else:
    print("The extra keras-video[onnx] is not installed: this cell does nothing.")

# %% [markdown]
# ## Faster in Python
#
# For a process that stays in Python, `compile_frozen` makes one compiled function with constant
# weights, `optimize` measures several forms and keeps the fastest equal one.

# %%
score = inference.compile_frozen(small)
clips, _ = next(iter(val))
np.testing.assert_allclose(np.asarray(score(clips)), model.predict(clips, verbose=0), atol=1e-4)

# %% [markdown]
# As commands: `keras-video export --model model.keras --format litert --out model.tflite --pixels`,
# and `--compare clips/val` for what it costs.

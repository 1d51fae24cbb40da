"""Export and serve

Export writes a trained model to a file that runs without this package and without Keras: a
SavedModel for TensorFlow and its server, ONNX for ONNX Runtime and many others, LiteRT for phones
and small devices. Programs for each, from a video file to scores, are in
[Serving](../applications/serving.md); which formats each family supports is in [Exported
models](../applications/export.md).
"""

# %% [markdown]
# ## A model
#
# Random weights are enough here: the file computes the same function as the model.

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
# Every file has the input `clip` (normalized float32) and the output `scores`; the batch size is
# not fixed. The file also holds the class names and the preprocessing. `fold_batch_norm` folds the
# norms into the convolutions: same scores, fewer operations.

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
# resizes and crops them too, so that the caller only decodes. `(None, None)` accepts any size.

# %%
inference.export_model(small, "pixels.tflite", "litert", pixels=True, frame_size=(None, None))
run = inference.load_exported("pixels.tflite")
video = data.open_video("made/val/red_circle/0000.mp4")
frames = video.read(data.row_sampling(row, "val")(video.total_frames, training=False)[:, 0])
scores = np.asarray(run(frames[None]))
print(frames.shape, frames.dtype, scores.round(3))

# %% [markdown]
# ## Quantization
#
# `quantize="float16"` halves a LiteRT file, `"int8"` quarters its weights; with `calibration`,
# clips for estimating value ranges, LiteRT computes in int8 where it can. `compare_exported`
# measures the loss of accuracy on your data. ONNX supports `"int8"`.

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
# This page does not run the server, but it calls the same signature:

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
# For a process that stays in Python, `compile_frozen` returns one compiled function with
# constant weights; `optimize` measures several forms and keeps the fastest equivalent one.

# %%
score = inference.compile_frozen(small)
clips, _ = next(iter(val))
np.testing.assert_allclose(np.asarray(score(clips)), model.predict(clips, verbose=0), atol=1e-4)

# %% [markdown]
# As commands: `keras-video export --model model.keras --format litert --out model.tflite --pixels`,
# and `--compare clips/val` to measure the difference.

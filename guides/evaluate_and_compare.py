"""Evaluate and compare

A published accuracy holds for a *test protocol*: which clips of a video are used, how they are
cropped, how their scores are averaged. The same weights reach another accuracy under another
protocol, so a model carries its own, `model.protocol`, and every evaluation follows it.
"""

# %% [markdown]
# ## A model to evaluate
#
# With a network connection you would use published weights: `zoo.row("...").model(weights=True)`,
# or `keras_video.load(...)` for a checkpoint of this or another project.

# %%
import numpy as np

import keras_video
from keras_video import data, inference, training, zoo

data.make_moving_shapes("made", videos_per_class=8, val_videos_per_class=2, frames=16, size=64)
row = zoo.resized(zoo.row("tsn_r18_1x1x4_moving_shapes"), 48)
train = data.row_dataset(row, "made/train", "train")
model = row.model(classes=train.class_names, input_shape=row.input_shape)
model.compile(training.SGD(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=3, verbose=2)

# %% [markdown]
# ## Validation and test
#
# `"val"` is one view of a video, quick enough for every epoch. `"test"` is the published protocol:
# 10 crops here, up to 30 clips of a video elsewhere. Clips with a views axis can be passed directly
# to `evaluate` and `predict`, which average as the protocol specifies.

# %%
val = data.row_dataset(row, "made/val", "val", batch_size=4)
test = data.row_dataset(row, "made/val", "test", batch_size=4)
print(val.element_spec[0].shape, test.element_spec[0].shape)
print(row.views, model.protocol.score_average)

_, one_view = model.evaluate(val, verbose=0)
_, all_views = model.evaluate(test, verbose=0)
print(f"top-1 of one view {one_view:.3f}, of all views {all_views:.3f}")

# %% [markdown]
# Other views: `zoo.with_views(row, clips, crops)` returns the row with them; the commands have
# the flag `--views 10x3`. Fewer views are faster and usually a little less accurate.

# %%
quick = zoo.with_views(row, 4, 1)
print(data.row_dataset(quick, "made/val", "test").element_spec[0].shape)

# %% [markdown]
# ## Metrics
#
# `evaluate_views` returns the scores, `score_report` the usual metrics; `write_results` writes a
# folder with metrics, a table per class and a confusion matrix.

# %%
scores, labels = training.evaluate_views(model, test, score_average=row.score_average, verbose=0)
print(training.score_report(scores, labels))
print(training.confusion_matrix(scores.argmax(-1), labels))
training.write_results("results", scores, labels, model.class_names)

# %% [markdown]
# The same as a command, which writes the scores to `scores.npz`:
#
# ```sh
# keras-video evaluate --model shapes.keras --list made/val --work_dir results
# keras-video evaluate --row tsm_r50_1x1x8_50e_sthv1_rgb --list val.txt --data_root videos
# ```

# %%
from keras_video.cli.main import main


def command(text):
    assert main(text.split()) == 0


model.save("shapes.keras")
command("evaluate --model shapes.keras --list made/val --work_dir a")

# %% [markdown]
# ## Which videos are misclassified

# %%
for video in test.file_paths[:4]:
    best = keras_video.classify(video, model, top=1, views=(1, 1))[0]
    print(f"{video}: {best.label} {best.score:.2f}")

# %% [markdown]
# ## Fusing two models
#
# The scores of several models on the same videos can be summed, RGB and optical flow for
# instance. In Python it is a sum of arrays; `keras-video fuse` matches the videos by name.

# %%
command("evaluate --model shapes.keras --list made/val --views 4x1 --work_dir b")
command("fuse a/scores.npz b/scores.npz --coefficients 1,1.5 --work_dir both")

# %% [markdown]
# ## Is the difference significant?
#
# On few videos, the accuracies of two models differ by chance. As the videos are the same, count
# those that only one model gets right: with counts `a` and `b`, a difference is significant when
# `|a - b|` is well above the square root of `a + b`.

# %%
right = scores.argmax(-1) == labels
fewer = training.evaluate_views(model, val, verbose=0)[0].argmax(-1) == labels
a, b = int(np.sum(right & ~fewer)), int(np.sum(fewer & ~right))
print(f"only with all views: {a}, only with one: {b}; chance is about {np.sqrt(a + b):.1f}")

# %% [markdown]
# ## Cost
#
# `keras-video summary --row NAME` reports parameters, multiply-adds and speed; `keras-video
# benchmark` reports videos per second with all views. In Python:

# %%
cost = inference.count_flops(model, (4, 48, 48, 3)).total
print(f"{cost.multiply_adds / 1e9:.3f} G multiply-adds, {model.count_params():,} parameters")

"""Keras recipes

Models of this package are functional Keras models, datasets are `tf.data` datasets, so whatever
works with these works here. This page collects the most requested recipes.
"""

# %% [markdown]
# ## Clips without files
#
# Arrays are enough to get started: clips are float `(batch, frames, height, width, channels)`. Here
# every second clip gets brighter from frame to frame, which is what the networks have to learn.

# %%
import importlib.util

import keras
import numpy as np

import keras_video
from keras_video import applications, training, zoo

generator = np.random.default_rng(0)
clips = generator.normal(size=(16, 4, 32, 32, 3)).astype("float32")
labels = np.arange(16) % 2
clips[labels == 1] += np.linspace(-1, 1, 4)[:, None, None, None]
SHAPE = clips.shape[1:]
LOSS = "sparse_categorical_crossentropy"


def small(**arguments):
    """TSN on two convolutions instead of `backbone="resnet50"`."""
    body = keras.Sequential(name="body")
    body.add(keras.Input(SHAPE[1:]))
    body.add(keras.layers.Conv2D(8, 3, 2, activation="relu"))
    body.add(keras.layers.Conv2D(16, 3, 2, activation="relu"))
    return applications.TSN(backbone=body, classes=2, input_shape=SHAPE, **arguments)


model = small()
model.compile(training.SGD(0.01), LOSS, metrics=["accuracy"])
model.fit(clips, labels, batch_size=8, epochs=1, validation_split=0.25, verbose=2)
print(model.predict(clips[:2], verbose=0).shape)

# %% [markdown]
# ## A custom head
#
# `include_top=False` omits the classifier; `pooling="avg"` pools the remaining features to a
# vector. `VideoModel` is the class of all models here: it accepts test clips with several views,
# and saves class names and protocol. A plain `keras.Model` is enough for a single view.

# %%
base = small(include_top=False, pooling="avg", name="features")
x = keras.layers.Dropout(0.2)(base.output)
x = keras.layers.Dense(16, activation="relu", name="hidden")(x)
own = keras_video.VideoModel(base.input, keras.layers.Dense(1, activation="sigmoid")(x))
own.class_names = ["steady", "brighter"]
own.protocol = zoo.row("tsn_r18_1x1x4_moving_shapes").protocol("test")
own.compile("adam", "binary_crossentropy", metrics=["accuracy"])
own.fit(clips, labels, batch_size=8, verbose=2)
views = np.stack([clips, clips[:, ::-1]], axis=1)  # (batch, views, frames, ...)
print(own.predict(views, verbose=0).shape)

# %% [markdown]
# ## Any image network as the body
#
# As above, TSN runs a Keras image model without its classifier on every frame; clips must be
# normalized as that model expects. `weights="imagenet"` as usual.

# %%
body = keras.applications.MobileNetV3Small(
    input_shape=(32, 32, 3), include_top=False, weights=None, include_preprocessing=False
)
print(applications.TSN(backbone=body, classes=2, input_shape=SHAPE).output_shape)

# %% [markdown]
# ## Train part of a model
#
# `freeze_until(name)` trains the layers from the named one on; frozen batch norms keep their
# statistics. Compile afterwards, as always in Keras.

# %%
model.freeze_until("fc_cls")
model.compile(training.SGD(0.01), LOSS)
print([variable.path for variable in model.trainable_variables])

# %% [markdown]
# ## LoRA
#
# LoRA fine-tunes transformers with few trainable parameters, through low-rank updates of their
# weight matrices ([arXiv:2106.09685](https://arxiv.org/abs/2106.09685)). Outputs are unchanged
# until training; saved and exported files have the updates merged.

# %%
transformer = zoo.row("videomae_8x2x1_moving_shapes").model(classes=2)
print(transformer.input_shape)
before = sum(int(np.prod(weight.shape)) for weight in transformer.trainable_variables)
transformer.enable_lora(rank=4)
after = sum(int(np.prod(weight.shape)) for weight in transformer.trainable_variables)
print(f"{before:,} -> {after:,} trainable parameters")
transformer.compile(training.AdamW(1e-3), LOSS)

# %% [markdown]
# ## `PyDataset`
#
# For data that comes from elsewhere, such as a database. Batches are tuples of clips and
# labels, as `fit` takes them.


# %%
class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return clips[index * 4 : index * 4 + 4], labels[index * 4 : index * 4 + 4]


model.freeze_until("fold_time")  # everything is trained again
model.compile(training.SGD(0.01), LOSS, metrics=["accuracy"])
model.fit(Batches(), epochs=1, verbose=2)

# %% [markdown]
# ## Callbacks
#
# All Keras callbacks work. `training.MultiViewEvaluation(test)` evaluates with all views at the end
# of an epoch; callbacks that read its metrics, such as `EarlyStopping`, may come before or after
# it.

# %%
callbacks = [
    keras.callbacks.EarlyStopping("val_top1", mode="max", patience=3, restore_best_weights=True),
    training.MultiViewEvaluation(Batches(), verbose=0),
]
history = model.fit(Batches(), epochs=2, callbacks=callbacks, verbose=2)
assert "val_top1" in history.history

# %% [markdown]
# ## Finding a learning rate
#
# A short training with an increasing learning rate, on a `tf.data` dataset. It destroys the
# weights: rebuild the model afterwards.

# %%
import tensorflow as tf

dataset = tf.data.Dataset.from_tensor_slices((clips, labels)).batch(4)
curve = training.find_learning_rate(model, dataset, steps=10)
print(f"suggested rate {curve.suggested}, from {len(curve.rates)} steps")

# %% [markdown]
# ## KerasTuner
#
# `pip install keras-tuner tensorboard`. The tuner takes a function that builds and compiles a
# model; validation data may have several views per video, as here.

# %%
if importlib.util.find_spec("keras_tuner") and importlib.util.find_spec("tensorboard"):
    import keras_tuner

    def build(choices):
        candidate = small(dropout=choices.Choice("dropout", [0.2, 0.5]))
        rate = choices.Float("rate", 1e-3, 1e-1, sampling="log")
        candidate.compile(training.SGD(rate), LOSS, metrics=["accuracy"])
        return candidate

    tuner = keras_tuner.RandomSearch(build, "val_accuracy", max_trials=2, directory="tuner")
    tuner.search(clips, labels, epochs=1, validation_data=(views, labels), verbose=0)
    best = tuner.oracle.get_best_trials()[0]
    print(best.hyperparameters.values, best.score)
else:
    print("keras-tuner and tensorboard are not installed: this cell does nothing.")

# %% [markdown]
# ## Backends
#
# `KERAS_BACKEND=jax python train.py`, or `torch`: models, layers and losses are written with
# `keras.ops`, and the loaders return `tf.data` datasets on every backend. Export, training on
# several machines and the command's own training loop use TensorFlow. On JAX,
# `keras.distribution.DataParallel` trains on all devices with plain `fit`.

# %%
print(keras.backend.backend())

# %% [markdown]
# ## Half precision
#
# `keras.mixed_precision.set_global_policy("mixed_bfloat16")` before the model is built, or
# `keras-video train --mixed_precision`. Classifiers stay float32.

# %%
keras.mixed_precision.set_global_policy("mixed_bfloat16")
half = small()
print(half.layers[2].compute_dtype, half.output.dtype)
keras.mixed_precision.set_global_policy("float32")

# %% [markdown]
# ## Loading with plain Keras
#
# `keras.models.load_model` opens a saved model once `import keras_video` has registered its layers.
# `keras_video.load_model` does both, and rejects files that would run code.

# %%
own.save("own.keras")
assert keras_video.load_model("own.keras").class_names == ["steady", "brighter"]

"""The parts shared by all constructors: model class, input, classification head, features."""

import functools
import json
import weakref

import keras
from keras import layers

from keras_video.applications.fine_tuning import FineTuningMixin
from keras_video.applications.logits import LogitLosses
from keras_video.applications.pretrained import load_pretrained
from keras_video.applications.view_average import MultiViewMixin
from keras_video.callback_order import in_working_order
from keras_video.layers.rebuilding import COPIED_ATTRIBUTES
from keras_video.layers.view_average import views_in
from keras_video.zoo.limits import check_limits
from keras_video.zoo.protocol import Protocol

# Index of `callbacks` among the positional arguments of `fit`.
_CALLBACKS = 5


@keras.saving.register_keras_serializable("keras_video")
class VideoModel(MultiViewMixin, FineTuningMixin, keras.Model):
    """A functional Keras model with its class names and input preprocessing.

    Both are saved in `.keras` files and preserved by `keras.models.clone_model`:

    Attributes:
        class_names: list of names, one per output, or `None` if unknown. A model with one output
            distinguishes two classes and may have the names of both. Accepts any sequence of names;
            raises a `ValueError` if their number does not match the outputs.
        protocol: the `keras_video.zoo.Protocol` (sampling, crop, mean and std, score averaging)
            that the weights are used with, or `None`.
        preprocessing: `protocol` as JSON values, as it is stored.

    `fit`, `train_on_batch` and `evaluate` compute cross-entropies of a softmax or sigmoid from its
    logits, on every backend and regardless of the loss's `from_logits`: the gradient does not
    vanish when probabilities round to 0 or 1. Metrics get the probabilities. `fit` calls callbacks
    that read the logs (`EarlyStopping`) after those that evaluate, regardless of their order.

    At inference a batch may have a view axis, `(batch, views, frames, height, width, channels)`, as
    in test datasets. `predict`, `evaluate` and `fit(validation_data=...)` then return outputs,
    losses and metrics per video: averaged over views according to `protocol.score_average` ("prob"
    without a protocol), with at most `protocol.max_views` views at a time in the network (if not
    set, the number that fits in a few gigabytes). Logit outputs become the logits of the averaged
    probabilities.
    """

    # No named arguments: Keras 3.12 accepts only this signature for a functional model.
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for key in COPIED_ATTRIBUTES:
            setattr(self, key, getattr(self._origin(), key, None))

    def _run_through_graph(self, *args, **kwargs):
        # `keras.models.clone_model` calls this, and passes only the outputs to the copy: their
        # reference to the model lets the copy find it.
        outputs = super()._run_through_graph(*args, **kwargs)
        first = keras.tree.flatten(outputs)[0]
        if keras.utils.is_keras_tensor(first):
            first._video_model = weakref.ref(self)
        return outputs

    def _origin(self):
        """The model that this one is a copy of, or `None`."""
        output = self.outputs[0]
        origin = output._video_model() if hasattr(output, "_video_model") else None
        matches = origin is not None and origin.outputs[0].shape[-1] == output.shape[-1]
        return origin if matches else None

    def compile(self, optimizer="rmsprop", loss=None, *args, **kwargs):
        """As Keras' `compile`."""
        self._logit_losses = LogitLosses(self, loss)
        super().compile(optimizer, self._logit_losses.losses, *args, **kwargs)

    def get_compile_config(self):
        config = super().get_compile_config()
        if not config:
            return config
        loss = keras.saving.serialize_keras_object(self._logit_losses.stated)
        return {**config, "loss": loss}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        if len(args) > _CALLBACKS:
            args = list(args)
            args[_CALLBACKS] = in_working_order(args[_CALLBACKS] or [])
        elif kwargs.get("callbacks"):
            kwargs["callbacks"] = in_working_order(kwargs["callbacks"])
        return super().fit(*args, **kwargs)

    def train_step(self, *args, **kwargs):
        with self._logit_losses.record():
            return super().train_step(*args, **kwargs)

    def test_step(self, *args, **kwargs):
        with self._logit_losses.record():
            return super().test_step(*args, **kwargs)

    def call(self, inputs, training=None, mask=None, **kwargs):
        losses = getattr(self, "_logit_losses", None)
        if not training and views_in(inputs, self.inputs):
            outputs, logits = self._view_average(self, inputs, losses.activations if losses else {})
            if losses is not None and losses.recording:
                losses.set_logits(logits)
            return outputs
        if losses is not None and losses.recording:
            return losses.forward(inputs, training)
        return super().call(inputs, training=training, mask=mask, **kwargs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        y_pred = self._logit_losses.loss_inputs(y_pred)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    @property
    def class_names(self):
        return json.loads(self._class_names)

    @class_names.setter
    def class_names(self, names):
        # Stored as text, since Keras replaces lists and dictionaries with tracked ones.
        self._class_names = json.dumps(_checked_names(names, self.outputs[0].shape[-1]))

    @property
    def preprocessing(self):
        return json.loads(self._preprocessing)

    @preprocessing.setter
    def preprocessing(self, facts):
        self._preprocessing = json.dumps(facts)

    @property
    def protocol(self):
        facts = self.preprocessing
        return None if facts is None else Protocol.read(facts)

    @protocol.setter
    def protocol(self, protocol):
        self.preprocessing = None if protocol is None else protocol.facts()

    def get_config(self):
        return {**super().get_config(), **{key: getattr(self, key) for key in COPIED_ATTRIBUTES}}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Builds the model from the result of `get_config()`.

        Raises:
            ValueError: if its preprocessing has sizes beyond the limits of any model.
        """
        check_limits(config.get("preprocessing"), "preprocessing")
        functional = {key: value for key, value in config.items() if key not in COPIED_ATTRIBUTES}
        model = super().from_config(functional, custom_objects)
        for key in COPIED_ATTRIBUTES:
            setattr(model, key, config.get(key))
        return model


def _checked_names(names, outputs):
    if names is None:
        return None
    if isinstance(names, (str, bytes)):
        raise ValueError(f"class_names={names!r}: expected a sequence of names")
    names = [str(name) for name in names]
    allowed = (1, 2) if outputs == 1 else (outputs,)
    if outputs is not None and len(names) not in allowed:
        raise ValueError(
            f"class_names: received {len(names)} names for a model of {outputs} outputs, expected "
            f"{' or '.join(map(str, allowed))}"
        )
    return names


def clip_input(input_tensor, input_shape, default, name="clip", minimum_size=32):
    """The input tensor of a clip model.

    Args:
        input_tensor: a Keras tensor to build on, or `None`.
        input_shape: `(frames, height, width, channels)` without the batch, or `None` for `default`.
            `None` inside the tuple leaves a dimension unknown, if the family allows it.
        default: the family's published shape.
        minimum_size: minimum height and width that the body can downsample.

    Raises:
        ValueError: for a shape of another rank, a size below the minimum, or unknown channels.
    """
    if input_tensor is not None:
        if not keras.utils.is_keras_tensor(input_tensor):
            return keras.Input(tensor=input_tensor, name=name)
        input_shape = input_tensor.shape[1:]
    shape = tuple(default if input_shape is None else input_shape)
    if len(shape) != len(default) or shape[-1] is None:
        raise ValueError(
            f"input_shape={input_shape!r}: expected {len(default)} numbers such as {default}, "
            "without the batch, with known channels last."
        )
    small = [size for size in shape[1:-1] if size is not None and size < minimum_size]
    if small:
        raise ValueError(
            f"input_shape={shape}: height and width must be at least {minimum_size} pixels."
        )
    return keras.Input(shape, name=name) if input_tensor is None else input_tensor


def classifier(x, classes, activation, dropout, *, name="fc_cls", stddev=0.01, reduce=None):
    """Dropout, the dense layer and the activation `predictions`, in float32.

    Args:
        x: features `(batch, channels)`, or `(batch, frames, channels)` with `reduce`.
        activation: activation of the predictions; `None` for logits.
        stddev: standard deviation of the dense layer's initial kernel.
        reduce: function applied between the dense layer and the activation (for instance the
            mean over frames).
    """
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(
        classes,
        kernel_initializer=keras.initializers.RandomNormal(stddev=stddev),
        dtype="float32",
        name=name,
    )(x)
    x = reduce(x) if reduce is not None else x
    return layers.Activation(activation or "linear", dtype="float32", name="predictions")(x)


def pool_features(x, pooling, prefix=""):
    """Features without a head: unchanged, or their mean or maximum over time and space.

    Args:
        pooling: `None`, "avg" or "max".
        prefix: prefix of the layer's name, for models that pool twice.

    Raises:
        ValueError: for a `pooling` other than `None`, "avg" or "max".
    """
    if pooling is None:
        return x
    if pooling not in ("avg", "max"):
        raise ValueError(f"pooling={pooling!r}: expected None, 'avg' or 'max'.")
    layer = {
        ("avg", 5): layers.GlobalAveragePooling3D,
        ("max", 5): layers.GlobalMaxPooling3D,
        ("avg", 4): layers.GlobalAveragePooling2D,
        ("max", 4): layers.GlobalMaxPooling2D,
    }[pooling, len(x.shape)]
    return layer(name=f"{prefix}{pooling}_pool")(x)


def build_model(
    clip,
    outputs,
    *,
    name,
    weights,
    input_tensor,
    constructor,
    arguments,
    allow_noncommercial=False,
):
    """Creates the model of a constructor and loads its weights: the last step of each constructor.

    Args:
        clip: the input that the network was built on, or a dictionary of inputs.
        outputs: outputs of the network.
        name: name of the model.
        weights: see `load_pretrained`; the weights of a row also set the model's protocol and, if
            the classifier is loaded, its class names.
        input_tensor: the constructor's argument; if given, the model's inputs are its sources.
        constructor: the calling constructor, by whose name rows refer to it.
        arguments: its arguments that determine the body (depth, segments, ...).
        allow_noncommercial: see `load_pretrained`.
    """
    inputs = clip if input_tensor is None else _sources(clip)
    model = VideoModel(inputs, outputs, name=name)
    return load_pretrained(
        model,
        weights,
        constructor=constructor,
        arguments=arguments,
        allow_noncommercial=allow_noncommercial,
    )


def _sources(clip):
    """The source inputs of a tensor, or of each tensor of a dictionary."""
    if isinstance(clip, dict):
        return {key: keras.utils.get_source_inputs(tensor)[0] for key, tensor in clip.items()}
    return keras.utils.get_source_inputs(clip)

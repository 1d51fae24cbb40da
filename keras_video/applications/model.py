"""What every constructor shares: the model class, input, head, features."""

import functools
import json
import weakref

import keras
from keras import layers

from keras_video.applications.fine_tuning import FineTunes
from keras_video.applications.logits import LogitLosses
from keras_video.applications.pretrained import load_pretrained
from keras_video.applications.view_average import TakesViews
from keras_video.callback_order import in_working_order
from keras_video.layers.rebuilding import CARRIED
from keras_video.layers.view_average import views_in
from keras_video.zoo.limits import check_limits
from keras_video.zoo.protocol import Protocol

# The place of `callbacks` among the arguments of `fit`.
_CALLBACKS = 5


@keras.saving.register_keras_serializable("keras_video")
class VideoModel(TakesViews, FineTunes, keras.Model):
    """A functional Keras model that knows its classes and how it wants to be fed.

    Both travel in `.keras` files and with `keras.models.clone_model`:

    Attributes:
        class_names: list of names, one per output, or `None` where they are not known. A model of
            one output tells two classes apart and may have the names of both. Set as any sequence
            of names; a `ValueError` says where their number is not that of the outputs.
        protocol: the `keras_video.zoo.Protocol` (sampling, crop, mean and deviation, averaging)
            that the weights are used with, or `None`.
        preprocessing: `protocol` as JSON values, as it is stored.

    `fit`, `train_on_batch` and `evaluate` compute cross-entropies of a softmax or sigmoid from its
    logits, on every backend and whether or not the loss says `from_logits`: the gradient does not
    vanish where probabilities round to 0 or 1. Metrics get the probabilities. `fit` calls callbacks
    that read the logs (`EarlyStopping`) after those that evaluate, whatever order they come in.

    Out of training a batch may have an axis of views, `(batch, views, frames, height, width,
    channels)`, as test datasets have it. `predict`, `evaluate` and `fit(validation_data=...)` then
    give the outputs, losses and metrics of the videos: averaged as `protocol.score_average` says,
    "prob" where there is no protocol, and with at most `protocol.max_views` views in the network at
    once (as many as a few gigabytes hold, if it says nothing). Outputs of logits become those of
    the averaged probabilities.
    """

    # Not the names of the arguments: Keras 3.12 takes no other signature for a functional model's.
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for key in CARRIED:
            setattr(self, key, getattr(self._origin(), key, None))

    def _run_through_graph(self, *args, **kwargs):
        # `keras.models.clone_model` calls this, and gives the copy the outputs and nothing else of
        # the model: so they say whose they are.
        outputs = super()._run_through_graph(*args, **kwargs)
        first = keras.tree.flatten(outputs)[0]
        if keras.utils.is_keras_tensor(first):
            first._video_model = weakref.ref(self)
        return outputs

    def _origin(self):
        """The model that this one is a copy of, or `None`."""
        output = self.outputs[0]
        origin = output._video_model() if hasattr(output, "_video_model") else None
        alike = origin is not None and origin.outputs[0].shape[-1] == output.shape[-1]
        return origin if alike else None

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
        with self._logit_losses.recorded():
            return super().train_step(*args, **kwargs)

    def test_step(self, *args, **kwargs):
        with self._logit_losses.recorded():
            return super().test_step(*args, **kwargs)

    def call(self, inputs, training=None, mask=None, **kwargs):
        losses = getattr(self, "_logit_losses", None)
        if not training and views_in(inputs, self.inputs):
            outputs, logits = self._view_average(self, inputs, losses.activations if losses else {})
            if losses is not None and losses.recording:
                losses.note(logits)
            return outputs
        if losses is not None and losses.recording:
            return losses.forward(inputs, training)
        return super().call(inputs, training=training, mask=mask, **kwargs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        y_pred = self._logit_losses.inputs_of_losses(y_pred)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    @property
    def class_names(self):
        return json.loads(self._class_names)

    @class_names.setter
    def class_names(self, names):
        # As text, since Keras replaces lists and dictionaries by tracked ones.
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
        return {**super().get_config(), **{key: getattr(self, key) for key in CARRIED}}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model of `get_config()`.

        Raises:
            ValueError: if its preprocessing names sizes that no model has.
        """
        check_limits(config.get("preprocessing"), "preprocessing")
        functional = {key: value for key, value in config.items() if key not in CARRIED}
        model = super().from_config(functional, custom_objects)
        for key in CARRIED:
            setattr(model, key, config.get(key))
        return model


def _checked_names(names, outputs):
    if names is None:
        return None
    if isinstance(names, (str, bytes)):
        raise ValueError(f"class_names={names!r}: expected a sequence of names")
    names = [str(name) for name in names]
    fitting = (1, 2) if outputs == 1 else (outputs,)
    if outputs is not None and len(names) not in fitting:
        raise ValueError(
            f"class_names: received {len(names)} names for a model of {outputs} outputs, expected "
            f"{' or '.join(map(str, fitting))}"
        )
    return names


def clip_input(input_tensor, input_shape, default, name="clip", minimum_size=32):
    """The input of a clip model.

    Args:
        input_tensor: a Keras tensor to build on, or `None`.
        input_shape: `(frames, height, width, channels)` without the batch, or `None` for `default`.
            `None` inside the tuple leaves an axis open where the family allows it.
        default: the family's published shape.
        minimum_size: the least height and width the body can reduce.

    Raises:
        ValueError: for a shape of another rank, a size below the minimum, or open channels.
    """
    if input_tensor is not None:
        if not keras.utils.is_keras_tensor(input_tensor):
            return keras.Input(tensor=input_tensor, name=name)
        input_shape = input_tensor.shape[1:]
    shape = tuple(default if input_shape is None else input_shape)
    if len(shape) != len(default) or shape[-1] is None:
        raise ValueError(
            f"input_shape={input_shape!r}: expected {len(default)} numbers such as {default}, "
            "without the batch, channels last and known."
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
        activation: of the predictions; `None` gives logits.
        stddev: deviation of the dense layer's kernel at the start.
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
    """Features without a head: as they are, or their mean or maximum over frames and space.

    Args:
        pooling: `None`, "avg" or "max".
        prefix: of the layer's name, for models that pool twice.

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
    """The model of a constructor, with its weights: what every constructor ends in.

    Args:
        clip: the input that the network was built on, or a dictionary of inputs.
        outputs: of the network.
        name: of the model.
        weights: see `load_pretrained`; with the weights of a row come its protocol and, where the
            classifier is loaded, its class names.
        input_tensor: as the constructor was given it. The model's inputs are its sources.
        constructor: the function whose model this is, named as rows name it.
        arguments: those of its arguments that decide the body (depth, segments, ...).
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
    """The inputs that a tensor, or each of a dictionary, comes from."""
    if isinstance(clip, dict):
        return {key: keras.utils.get_source_inputs(one)[0] for key, one in clip.items()}
    return keras.utils.get_source_inputs(clip)

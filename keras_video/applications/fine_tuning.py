"""Training part of a network: low-rank adapters (LoRA), or the last layers."""

import difflib
import re

import keras

from keras_video.layers.freezing import every_layer

# Settings of Keras layers that only describe how they were trained.
_LORA_SETTINGS = ("lora_rank", "lora_alpha")
_UP_TO_NUMBER = re.compile(r".*?\d+|.*")


class FineTuningMixin:
    """Mixin of a functional model for parameter-efficient fine-tuning.

    Attributes:
        lora_rank: rank of the low-rank adapters, or `None` without LoRA.
    """

    lora_rank = None

    def enable_lora(self, rank):
        """Trains low-rank adapters of a transformer's kernels instead of its weights.

        LoRA (arXiv:2106.09685): every dense layer of the attention and feed-forward blocks gets two
        low-rank matrices whose product is added to its kernel. Only these and the classifier are
        trained. The outputs do not change until then. Compile the model afterwards. Saving and
        exporting merge the adapters into the kernels: `keras_video.load_model` returns the trained
        network, with all its weights trainable again.

        Args:
            rank: rank of the matrices.

        Raises:
            ValueError: for a rank that is not a whole number of at least 1, a network that is not a
                transformer, or one that already has LoRA.
        """
        if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            raise ValueError(f"rank={rank!r}: expected a whole number of at least 1")
        if self.lora_rank is not None:
            raise ValueError(
                f"rank={rank}: {self.name!r} already has LoRA of rank {self.lora_rank}"
            )
        all_layers = list(every_layer(self))
        if not any(isinstance(layer, keras.layers.LayerNormalization) for layer in all_layers):
            raise ValueError(f"enable_lora: {self.name!r} is not a transformer, expected one")
        head = _classifier(self)
        adapted_layers = [
            layer
            for layer in all_layers
            if isinstance(layer, keras.layers.Dense | keras.layers.EinsumDense)
            and layer is not head
        ]
        for layer in all_layers:
            if layer is not head:
                _freeze_except(layer, adapted_layers)
        for layer in adapted_layers:
            own = list(layer.variables)
            layer.enable_lora(rank)
            for variable in own:
                variable.trainable = False
        self.lora_rank = rank
        self._forget_compilation()

    def merge_lora(self):
        """Merges the low-rank adapters into the kernels.

        Returns:
            A new model without adapters, not compiled; the model itself if it has none.
        """
        if self.lora_rank is None:
            return self
        merged = type(self).from_config(self.get_config())
        for layer, other in zip(every_layer(self), every_layer(merged), strict=True):
            store = {}
            layer.save_own_variables(store)
            if store:
                other.load_own_variables(store)
        return merged

    def freeze_until(self, name):
        """Freezes the layers before the first one of the given name, and trains it and the rest.

        Frozen batch norms use their running statistics. Compile the model afterwards.

        Args:
            name: name of a layer, such as "fc_cls", or a prefix, such as "layer4" for
                "layer4_0_conv1" and the other layers of this stage.

        Raises:
            ValueError: if no layer has this name or prefix (the message lists the known ones), or
                for a model with LoRA.
        """
        if self.lora_rank is not None:
            raise ValueError(
                f"freeze_until({name!r}): {self.name!r} has LoRA, which determines what is trained"
            )
        names = [layer.name for layer in self.layers]
        first = next(
            (i for i, layer in enumerate(names) if f"{layer}_".startswith(f"{name}_")), None
        )
        if first is None or not name:
            weighted = [layer.name for layer in self.layers if layer.variables]
            known = list(dict.fromkeys(_UP_TO_NUMBER.match(layer)[0] for layer in weighted))
            close = difflib.get_close_matches(str(name), [*known, *weighted], n=3)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise ValueError(
                f"freeze_until({name!r}): {self.name!r} has no layer of this name "
                f"or prefix.{hint} Known: {', '.join(known)}."
            )
        for number, layer in enumerate(self.layers):
            layer.trainable = number >= first
        self._forget_compilation()

    def get_config(self):
        config = super().get_config()
        return config if self.lora_rank is None else _without_lora(config)

    def export(self, *args, **kwargs):
        """As Keras' `export`, with the adapters of `enable_lora` merged."""
        if self.lora_rank is None:
            return super().export(*args, **kwargs)
        return self.merge_lora().export(*args, **kwargs)

    def _forget_compilation(self):
        """Makes Keras require `compile`: traced steps and the optimizer hold outdated variables."""
        self.compiled = False
        self.train_function = self.test_function = self.predict_function = None


def _classifier(model):
    """The dense layer that the first output comes from, or `None`."""
    operation = model.outputs[0]._keras_history.operation
    while not isinstance(operation, keras.layers.Dense):
        sources = keras.tree.flatten(operation._inbound_nodes[0].input_tensors)
        if len(sources) != 1:
            return None
        operation = sources[0]._keras_history.operation
    return operation


def _freeze_except(layer, adapted_layers):
    """Freezes a layer except for its sublayers in `adapted_layers`."""
    inside = {id(sublayer) for sublayer in every_layer(layer)}
    adapted = {id(sublayer) for sublayer in adapted_layers}
    if id(layer) in adapted:
        return
    if not inside & adapted:
        layer.trainable = False
        return
    others = {id(variable) for sublayer in every_layer(layer) for variable in sublayer.variables}
    for variable in layer.variables:
        if id(variable) not in others:
            variable.trainable = False


def _without_lora(config):
    """A copy of a configuration without LoRA settings, all of whose layers are trainable."""
    if isinstance(config, dict):
        settings = {key: value for key, value in config.items() if key not in _LORA_SETTINGS}
        if "trainable" in settings:
            settings["trainable"] = True
        return {key: _without_lora(value) for key, value in settings.items()}
    if isinstance(config, list | tuple):
        return type(config)(_without_lora(value) for value in config)
    return config

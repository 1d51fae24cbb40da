"""Training a part of a network: low-rank changes of its matrices, or its last layers."""

import difflib
import re

import keras

from keras_video.layers.freezing import every_layer

# Settings of Keras' layers that only say how they were trained.
_LORA_SETTINGS = ("lora_rank", "lora_alpha")
_UP_TO_NUMBER = re.compile(r".*?\d+|.*")


class FineTunes:
    """What a functional model needs for a part of it to be trained.

    Attributes:
        lora_rank: rank of the low-rank changes that are trained, `None` where there are none.
    """

    lora_rank = None

    def enable_lora(self, rank):
        """Trains low-rank changes of a transformer's matrices in place of its weights.

        LoRA (arXiv:2106.09685): every dense layer of attention and feed-forward networks gets two
        narrow matrices whose product is added to its kernel. Only these and the classifier are
        trained. The outputs stay what they are until then. Compile the model after this. What is
        saved or exported is a network without them: `keras_video.load_model` gives the trained
        network, all of whose weights train again.

        Args:
            rank: width of the matrices.

        Raises:
            ValueError: for a rank that is no whole number of at least 1, a network that is no
                transformer, or one that has such changes already.
        """
        if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            raise ValueError(f"rank={rank!r}: expected a whole number of at least 1")
        if self.lora_rank is not None:
            raise ValueError(
                f"rank={rank}: {self.name!r} has LoRA of rank {self.lora_rank} already"
            )
        found = list(every_layer(self))
        if not any(isinstance(layer, keras.layers.LayerNormalization) for layer in found):
            raise ValueError(f"enable_lora: {self.name!r} is no transformer, for which LoRA is")
        head = _classifier(self)
        changed = [
            layer
            for layer in found
            if isinstance(layer, keras.layers.Dense | keras.layers.EinsumDense)
            and layer is not head
        ]
        for layer in found:
            if layer is not head:
                _freeze_around(layer, changed)
        for layer in changed:
            own = list(layer.variables)
            layer.enable_lora(rank)
            for variable in own:
                variable.trainable = False
        self.lora_rank = rank
        self._forget_compilation()

    def merge_lora(self):
        """The network as it computes now, its low-rank changes added to its kernels.

        Returns:
            A new model without them, not compiled; the model itself where it has none.
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
        """Freezes the layers before the first of a name, and trains this one and all that follow.

        Frozen batch norms use their running statistics. Compile the model after this.

        Args:
            name: of a layer, such as "fc_cls", or what the names of some begin with, such as
                "layer4" for "layer4_0_conv1" and the others of this stage.

        Raises:
            ValueError: listing names, if no layer is called so; or for a model with LoRA.
        """
        if self.lora_rank is not None:
            raise ValueError(
                f"freeze_until({name!r}): {self.name!r} has LoRA, which says what trains"
            )
        names = [layer.name for layer in self.layers]
        first = next((i for i, one in enumerate(names) if f"{one}_".startswith(f"{name}_")), None)
        if first is None or not name:
            weighted = [layer.name for layer in self.layers if layer.variables]
            known = list(dict.fromkeys(_UP_TO_NUMBER.match(one)[0] for one in weighted))
            close = difflib.get_close_matches(str(name), [*known, *weighted], n=3)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise ValueError(
                f"freeze_until({name!r}): {self.name!r} has no layer of this name, or whose name "
                f"begins so.{hint} Known: {', '.join(known)}."
            )
        for number, layer in enumerate(self.layers):
            layer.trainable = number >= first
        self._forget_compilation()

    def get_config(self):
        config = super().get_config()
        return config if self.lora_rank is None else _without_lora(config)

    def export(self, *args, **kwargs):
        """As Keras' `export`, with what `enable_lora` has added merged."""
        if self.lora_rank is None:
            return super().export(*args, **kwargs)
        return self.merge_lora().export(*args, **kwargs)

    def _forget_compilation(self):
        """Steps that were traced and the optimizer know other variables: Keras asks to compile."""
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


def _freeze_around(layer, changed):
    """Freezes a layer, but for those inside that are `changed`."""
    inside = {id(one) for one in every_layer(layer)}
    if id(layer) in {id(one) for one in changed}:
        return
    if not inside & {id(one) for one in changed}:
        layer.trainable = False
        return
    others = {id(variable) for one in every_layer(layer) for variable in one.variables}
    for variable in layer.variables:
        if id(variable) not in others:
            variable.trainable = False


def _without_lora(config):
    """A configuration whose layers have no settings of LoRA, and are trained."""
    if isinstance(config, dict):
        kept = {key: value for key, value in config.items() if key not in _LORA_SETTINGS}
        if "trainable" in kept:
            kept["trainable"] = True
        return {key: _without_lora(value) for key, value in kept.items()}
    if isinstance(config, list | tuple):
        return type(config)(_without_lora(one) for one in config)
    return config

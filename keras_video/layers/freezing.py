"""Finding the layers of a model, those inside others included, and freezing them."""

import keras


def every_layer(layer, seen=None):
    """Every layer inside a layer or model once, in the order of the network."""
    seen = set() if seen is None else seen
    for child in layer._flatten_layers(include_self=False, recursive=False):
        if id(child) not in seen:
            seen.add(id(child))
            yield child
            yield from every_layer(child, seen)


def batch_norms(model):
    """The batch norms of a model, in the order of the network."""
    kind = keras.layers.BatchNormalization
    return [layer for layer in every_layer(model) if isinstance(layer, kind)]


def freeze(layers):
    """Keeps the weights of layers in training; batch norms use their running statistics."""
    for layer in layers:
        layer.trainable = False

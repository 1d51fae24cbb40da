"""Finding the layers of a model, including nested ones, and freezing them."""

import keras


def every_layer(layer, visited=None):
    """Yields every layer inside a layer or model once, in network order."""
    visited = set() if visited is None else visited
    for child in layer._flatten_layers(include_self=False, recursive=False):
        if id(child) not in visited:
            visited.add(id(child))
            yield child
            yield from every_layer(child, visited)


def batch_norms(model):
    """The batch norms of a model, in network order."""
    kind = keras.layers.BatchNormalization
    return [layer for layer in every_layer(model) if isinstance(layer, kind)]


def freeze(layers):
    """Freezes the weights of layers; batch norms then use their running statistics."""
    for layer in layers:
        layer.trainable = False

"""What tells networks apart, whatever their layers are called."""

import hashlib
import json

import keras
import numpy as np


def network_hash(network):
    """SHA-256 of a network: of its layers and their weights, whatever the layers are called."""
    found = hashlib.sha256()
    for layer in network.layers:
        config = _unnamed(keras.saving.serialize_keras_object(layer))
        found.update(json.dumps(config, sort_keys=True, default=str).encode())
        for variable in layer.weights:
            value = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
            found.update(f"{value.shape}{value.dtype}".encode())
            found.update(value.tobytes())
    return found.hexdigest()


# What differs between two buildings of the same network, or serves training alone.
_PASSING = ("name", "build_config", "compile_config", "inbound_nodes", "trainable")
_PASSING += ("input_layers", "output_layers", "seed", "seed_generator", "class_names")
_PASSING += ("preprocessing",)


def _unnamed(value):
    if isinstance(value, dict):
        return {key: _unnamed(one) for key, one in value.items() if key not in _PASSING}
    if isinstance(value, list | tuple):
        return [_unnamed(one) for one in value]
    return value

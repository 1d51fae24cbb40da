"""A hash that identifies networks regardless of layer names."""

import hashlib
import json

import keras
import numpy as np


def network_hash(network):
    """SHA-256 of a network's layers and weights, regardless of layer names."""
    digest = hashlib.sha256()
    for layer in network.layers:
        config = _unnamed(keras.saving.serialize_keras_object(layer))
        digest.update(json.dumps(config, sort_keys=True, default=str).encode())
        for variable in layer.weights:
            value = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
            digest.update(f"{value.shape}{value.dtype}".encode())
            digest.update(value.tobytes())
    return digest.hexdigest()


# Keys that differ between two builds of the same network, or only concern training.
_IGNORED = ("name", "build_config", "compile_config", "inbound_nodes", "trainable")
_IGNORED += ("input_layers", "output_layers", "seed", "seed_generator", "class_names")
_IGNORED += ("preprocessing",)


def _unnamed(value):
    if isinstance(value, dict):
        return {key: _unnamed(item) for key, item in value.items() if key not in _IGNORED}
    if isinstance(value, list | tuple):
        return [_unnamed(item) for item in value]
    return value

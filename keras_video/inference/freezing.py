"""Compilation of a model to one function with constant weights."""

import keras


def compile_frozen(model):
    """Compiles a model to a function from clips to outputs, for scoring many clips.

    On TensorFlow the function is a graph in which the weights are constants, so TensorFlow merges
    batch norms, biases, sums and activations into the preceding convolutions and lays out every
    kernel for the CPU once instead of in every call. It pays off from a few hundred clips of one
    shape on: the first call for each clip shape takes some seconds, and the function holds about
    ten times the memory of the weights. With `fold_batch_norm(model)`, norms after depthwise
    convolutions are merged as well.

    On the other backends it is `model.predict_on_batch`, which does use later weights.

    Args:
        model: a built model. On TensorFlow, the function keeps its current weights.

    Returns:
        A function of clips, float `(batch, frames, height, width, channels)`, NumPy or a tensor (or
        other inputs of the model), with the outputs of `model.predict_on_batch`, as NumPy arrays.

    Raises:
        ValueError: if the model is not built.
    """
    if not model.built:
        raise ValueError(f"compile_frozen: {model.name!r} is not built, so it has no weights yet.")
    if keras.backend.backend() != "tensorflow":
        return model.predict_on_batch
    import tensorflow as tf

    weights = [(v, keras.ops.convert_to_numpy(v)) for v in model.variables]

    @tf.function
    def forward(clips):
        with keras.StatelessScope(state_mapping=weights):
            return model(clips, training=False)

    def frozen(clips):
        tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, clips)
        return keras.tree.map_structure(keras.ops.convert_to_numpy, forward(tensors))

    return frozen

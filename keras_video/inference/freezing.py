"""A model as one compiled function in which the weights are constants."""

import keras


def compile_frozen(model):
    """A function from clips to outputs, for one model that scores many clips.

    On TensorFlow the function is a graph in which the weights are constants, so TensorFlow merges
    batch norms, biases, sums and activations into the convolutions before them and arranges every
    kernel for the CPU once instead of in every call. It pays from some hundred clips of one shape
    on: the first call for every shape of clips takes some seconds, and the function holds about ten
    times the memory of the weights. With `fold_batch_norm(model)` it takes depthwise convolutions
    as well.

    On the other backends it is `model.predict_on_batch`, which does follow later weights.

    Args:
        model: a built model. On TensorFlow, what its weights are now stays in the function.

    Returns:
        A function of clips, float `(batch, frames, height, width, channels)`, NumPy or a tensor (or
        what else the model takes); gives what `model.predict_on_batch` gives, as NumPy arrays.

    Raises:
        ValueError: if the model is not built.
    """
    if not model.built:
        raise ValueError(f"compile_frozen: {model.name!r} is not built, so it has no weights yet.")
    if keras.backend.backend() != "tensorflow":
        return model.predict_on_batch
    import tensorflow as tf

    weights = [(one, keras.ops.convert_to_numpy(one)) for one in model.variables]

    @tf.function
    def forward(clips):
        with keras.StatelessScope(state_mapping=weights):
            return model(clips, training=False)

    def frozen(clips):
        tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, clips)
        return keras.tree.map_structure(keras.ops.convert_to_numpy, forward(tensors))

    return frozen

"""Dense layers over tokens and positions."""

import keras
from keras import ops

from keras_video.layers.devices import is_for_another_runtime


def small_normal():
    """Truncated normal of deviation 0.02, the usual initializer of vision transformers."""
    return keras.initializers.TruncatedNormal(stddev=0.02)


@keras.saving.register_keras_serializable("keras_video")
def gelu(x):
    """GELU (arXiv:1606.08415), exact.

    JAX uses the error function: Keras' form with its complement takes twice as long on GPUs. Other
    runtimes recognize the error-function form as a single operation.
    """
    if keras.backend.backend() != "jax" and not is_for_another_runtime():
        return ops.gelu(x, approximate=False)
    wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
    return ops.cast(0.5 * wide * (1 + ops.erf(wide * 0.5**0.5)), x.dtype)


@keras.saving.register_keras_serializable("keras_video")
def approximate_gelu(x):
    """GELU (arXiv:1606.08415), tanh approximation."""
    return ops.gelu(x, approximate=True)


@keras.saving.register_keras_serializable("keras_video")
class Dense(keras.layers.Dense):
    """Keras' dense layer, computed in a form that is fast on TensorFlow for inputs of any rank.

    TensorFlow multiplies an input of three axes or more by a kernel as a batched product, which
    takes up to twice as long as a single product of all rows and is not fused with other operations
    (a fused `activation` of "gelu" takes no extra time in inference). On TensorFlow all axes before
    the last are therefore merged. For other runtimes, a layer over one position per clip becomes a
    convolution, since they would otherwise change the layout of what its outputs are multiplied
    with. Results, arguments and weights are Keras'.

    Keras stores weights under the class name, which is Keras' own, so that files fit both layers.
    """

    def call(self, inputs, training=None):
        positions = inputs.shape[1:-1]
        if is_for_another_runtime() and positions == (1, 1, 1) and self.quantization_mode is None:
            return self._as_convolution(inputs)
        if keras.backend.backend() != "tensorflow" or not positions or None in positions:
            return super().call(inputs, training=training)
        rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
        rows = super().call(rows, training=training)
        return ops.reshape(rows, (-1, *positions, self.units))

    def _as_convolution(self, inputs):
        kernel = ops.reshape(self.kernel, (1, 1, 1, *self.kernel.shape))
        outputs = ops.conv(inputs, kernel, data_format="channels_last")
        outputs = outputs if self.bias is None else outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)

    def quantize(self, mode=None, type_check=True, **options):
        """As Keras', whose default rejects subclasses since they may compute something else."""
        return super().quantize(mode, type_check=False, **options)

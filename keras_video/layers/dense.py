"""Dense layers over tokens and places."""

import keras
from keras import ops

from keras_video.layers.devices import is_for_another_runtime


def small_normal():
    """Truncated normal of deviation 0.02, the usual start of vision transformers."""
    return keras.initializers.TruncatedNormal(stddev=0.02)


@keras.saving.register_keras_serializable("keras_video")
def gelu(x):
    """GELU (arXiv:1606.08415), exact.

    On JAX by the error function: Keras' form by its complement takes twice as long on GPUs. Other
    runtimes know the form as one operation.
    """
    if keras.backend.backend() != "jax" and not is_for_another_runtime():
        return ops.gelu(x, approximate=False)
    wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
    return ops.cast(0.5 * wide * (1 + ops.erf(wide * 0.5**0.5)), x.dtype)


@keras.saving.register_keras_serializable("keras_video")
def approximate_gelu(x):
    """GELU (arXiv:1606.08415) by its tanh form."""
    return ops.gelu(x, approximate=True)


@keras.saving.register_keras_serializable("keras_video")
class Dense(keras.layers.Dense):
    """Keras' dense layer, in the form that is fast on TensorFlow for inputs of any rank.

    TensorFlow multiplies an input of three axes or more by a kernel as a batch of products, which
    takes up to twice as long as a single product of all rows, and which nothing is fused with (an
    `activation` of "gelu" costs no time of its own in inference). There the axes before the last
    become one. Of one place per clip it is a convolution for other runtimes, which would lay out
    anew what its outputs are multiplied with. Results, arguments and weights are Keras'.

    Keras stores weights under the name of the class: it is Keras' own, so that files fit both.
    """

    def call(self, inputs, training=None):
        places = inputs.shape[1:-1]
        if is_for_another_runtime() and places == (1, 1, 1) and self.quantization_mode is None:
            return self._as_convolution(inputs)
        if keras.backend.backend() != "tensorflow" or not places or None in places:
            return super().call(inputs, training=training)
        rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
        rows = super().call(rows, training=training)
        return ops.reshape(rows, (-1, *places, self.units))

    def _as_convolution(self, inputs):
        kernel = ops.reshape(self.kernel, (1, 1, 1, *self.kernel.shape))
        outputs = ops.conv(inputs, kernel, data_format="channels_last")
        outputs = outputs if self.bias is None else outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)

    def quantize(self, mode=None, type_check=True, **options):
        """Keras refuses subclasses by default, whose computation it does not know."""
        return super().quantize(mode, type_check=False, **options)

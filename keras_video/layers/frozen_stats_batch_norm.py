"""Batch norm whose statistics stand still while its scale and offset learn."""

import keras
from keras import layers


@keras.saving.register_keras_serializable("keras_video")
class FrozenStatsBatchNormalization(layers.BatchNormalization):
    """Batch norm that uses and keeps its running statistics, in training too.

    As PyTorch's in `eval()` with parameters that have gradients. A Keras norm that is not
    `trainable` keeps scale and offset as well.
    """

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=False, mask=mask)

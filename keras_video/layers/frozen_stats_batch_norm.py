"""Batch norm with frozen statistics and trainable scale and offset."""

import keras
from keras import layers


@keras.saving.register_keras_serializable("keras_video")
class FrozenStatsBatchNormalization(layers.BatchNormalization):
    """Batch norm that uses its running statistics without updating them, also in training.

    As PyTorch's in `eval()` with parameters that require gradients. A Keras norm that is not
    `trainable` freezes scale and offset as well.
    """

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=False, mask=mask)

"""Losses with class weights, and for partially annotated labels."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_video")
class BinaryCrossentropy(keras.losses.Loss):
    """Independent binary cross-entropy of every class, for multi-label examples.

    ``y_true`` is multi-hot (batch, classes); a value below 0 marks the class as not annotated, and
    excludes it. The loss of an example is the mean over its annotated classes. ``y_pred`` holds
    probabilities (batch, classes), or logits.

    Args:
        weight: factor of the loss.
        class_weight: a weight per class, or None.
        label_smoothing: targets become ``(1 - s) * y + s / classes``.
        from_logits: whether ``y_pred`` are logits.
    """

    logits_activation = "sigmoid"

    def __init__(
        self,
        weight=1.0,
        class_weight=None,
        label_smoothing=0.0,
        from_logits=False,
        name="binary_crossentropy",
        reduction="sum_over_batch_size",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.weight = float(weight)
        self.class_weight = _weights(class_weight)
        self.label_smoothing = float(label_smoothing)
        self.from_logits = bool(from_logits)

    def call(self, y_true, y_pred):
        losses, known = _tag_losses(self, y_true, y_pred)
        if self.class_weight is not None:
            losses = losses * ops.convert_to_tensor(self.class_weight, losses.dtype)
        return self.weight * ops.sum(losses, -1) / ops.maximum(ops.sum(known, -1), 1)

    def get_config(self):
        return {
            **super().get_config(),
            "weight": self.weight,
            "class_weight": self.class_weight,
            "label_smoothing": self.label_smoothing,
            "from_logits": self.from_logits,
        }


@keras.saving.register_keras_serializable("keras_video")
class HVULoss(keras.losses.Loss):
    """Binary cross-entropy by categories of tags (Holistic Video Understanding, arXiv:1904.11451).

    The loss of a category is the mean over its tags and over the examples of the batch that are
    annotated with it; the categories' losses are averaged. ``y_true`` is multi-hot (batch, tags);
    if an example has no annotation of a category, its values are below 0. ``y_pred``:
    see ``BinaryCrossentropy``.

    Args:
        sizes: number of tags of each category, in their order.
        category_weights: a weight per category, or None for equal weights. Categories
            that no example of a batch is annotated with do not count.
        weight: factor of the loss.
        from_logits: whether ``y_pred`` are logits.

    Raises:
        ValueError: when called with a different number of tags.
    """

    label_smoothing = 0.0
    logits_activation = "sigmoid"

    def __init__(
        self,
        sizes=(739, 117, 291, 69, 1678, 248),
        category_weights=None,
        weight=1.0,
        from_logits=False,
        name="hvu_loss",
        reduction="sum_over_batch_size",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.sizes = tuple(int(size) for size in sizes)
        self.category_weights = _weights(category_weights)
        if self.category_weights and len(self.category_weights) != len(self.sizes):
            raise ValueError(
                f"HVULoss: received {len(self.category_weights)} weights for {len(self.sizes)} "
                "categories"
            )
        self.weight = float(weight)
        self.from_logits = bool(from_logits)

    def call(self, y_true, y_pred):
        if y_pred.shape[-1] != sum(self.sizes):
            raise ValueError(
                f"HVULoss: received {y_pred.shape[-1]} tags, expected {sum(self.sizes)}"
            )
        losses, known = _tag_losses(self, y_true, y_pred)
        total, counted, start = 0.0, 0.0, 0
        weights = self.category_weights or [1.0] * len(self.sizes)
        for size, weight in zip(self.sizes, weights, strict=True):
            examples = known[:, start]  # a category is known as a whole
            per_example = ops.mean(losses[:, start : start + size], -1)
            count = ops.sum(examples)
            present = weight * ops.cast(count > 0, losses.dtype)
            total = total + present * ops.sum(per_example * examples) / ops.maximum(count, 1)
            counted = counted + present
            start += size
        # The same for every example, so the mean over the batch leaves it unchanged.
        return ops.ones_like(losses[:, 0]) * (self.weight * total / ops.maximum(counted, 1e-12))

    def get_config(self):
        return {
            **super().get_config(),
            "sizes": list(self.sizes),
            "category_weights": self.category_weights,
            "weight": self.weight,
            "from_logits": self.from_logits,
        }


@keras.saving.register_keras_serializable("keras_video")
class WeightedCrossentropy(keras.losses.Loss):
    """Softmax cross-entropy with a weight per class.

    The loss of a batch is the weighted mean: the weighted sum divided by the sum of the weights.
    ``y_true`` holds class indices (batch,) or (batch, 1), or probabilities (batch, classes).

    Args:
        class_weight: a weight per class.
        from_logits: whether ``y_pred`` are logits.
    """

    logits_activation = "softmax"

    def __init__(
        self,
        class_weight,
        from_logits=False,
        name="weighted_crossentropy",
        reduction="sum_over_batch_size",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.class_weight = _weights(class_weight)
        self.from_logits = bool(from_logits)

    def call(self, y_true, y_pred):
        y_true = ops.convert_to_tensor(y_true)
        weights = ops.convert_to_tensor(self.class_weight, y_pred.dtype)
        classes = len(self.class_weight)
        if len(y_true.shape) == 1 or y_true.shape[-1] == 1:
            y_true = ops.one_hot(ops.reshape(y_true, (-1,)), classes)
        weighted = ops.cast(y_true, y_pred.dtype) * weights
        # Not Keras' function, whose TensorFlow gradient requires targets that sum to 1.
        if self.from_logits:
            logarithms = ops.log_softmax(y_pred)
        else:
            logarithms = ops.log(ops.clip(y_pred, keras.config.epsilon(), 1.0))
        losses = -ops.sum(weighted * logarithms, -1)
        count = ops.cast(ops.shape(losses)[0], losses.dtype)
        return losses * count / ops.sum(weighted)

    def get_config(self):
        return {
            **super().get_config(),
            "class_weight": self.class_weight,
            "from_logits": self.from_logits,
        }


@keras.saving.register_keras_serializable("keras_video")
class SmoothedCrossentropy(keras.losses.Loss):
    """Softmax cross-entropy with label smoothing (arXiv:1512.00567).

    Keras' loss for class indices has no label smoothing. ``y_true`` is class indices (batch,), or
    probabilities (batch, classes); ``y_pred`` holds probabilities (batch, classes), or logits.

    Args:
        label_smoothing: targets become ``(1 - s) * y + s / classes``, in [0, 1).
        from_logits: whether ``y_pred`` are logits.

    Raises:
        ValueError: for a ``label_smoothing`` out of range.
    """

    logits_activation = "softmax"

    def __init__(
        self,
        label_smoothing,
        from_logits=False,
        name="smoothed_crossentropy",
        reduction="sum_over_batch_size",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"SmoothedCrossentropy: label_smoothing must be in [0, 1), received "
                f"{label_smoothing}"
            )
        self.label_smoothing = float(label_smoothing)
        self.from_logits = bool(from_logits)

    def call(self, y_true, y_pred):
        classes = y_pred.shape[-1]
        if len(y_true.shape) == 1 or y_true.shape[-1] == 1:
            y_true = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), classes)
        targets = ops.cast(y_true, y_pred.dtype) * (1 - self.label_smoothing)
        targets = targets + self.label_smoothing / classes
        return ops.categorical_crossentropy(targets, y_pred, from_logits=self.from_logits)

    def get_config(self):
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
            "from_logits": self.from_logits,
        }


def _weights(values):
    return None if values is None else [float(value) for value in values]


def _tag_losses(loss, y_true, y_pred):
    """Cross-entropy of every example and tag, 0 where not annotated, and the annotation mask."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    known = ops.cast(y_true >= 0, y_pred.dtype)
    smoothing = loss.label_smoothing
    targets = ops.maximum(y_true, 0) * (1 - smoothing) + smoothing / y_true.shape[-1]
    return ops.binary_crossentropy(targets, y_pred, from_logits=loss.from_logits) * known, known

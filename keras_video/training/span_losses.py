"""Losses of a detector of spans: of its classes and of its offsets (`span_targets`)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_video")
class SpanFocalLoss(keras.losses.Loss):
    """Focal loss (arXiv:1708.02002) of the classes of points, per point that has one.

    `y_true` is float `(batch, points, classes)`: 1, 0, or -1 where nothing counts; `y_pred`
    probabilities, or logits, of the same shape. `VideoModel` hands over the logits of a sigmoid.

    Args:
        alpha: weight of classes that are there; others weigh 1 - alpha.
        gamma: how much less points weigh that are right already.
        from_logits: whether `y_pred` are logits.
    """

    logits_activation = "sigmoid"

    def __init__(
        self,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        name="span_focal_loss",
        reduction="sum_over_batch_size",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.alpha, self.gamma, self.from_logits = alpha, gamma, from_logits

    def call(self, y_true, y_pred):
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        known = ops.cast(y_true >= 0, y_pred.dtype)
        there = ops.maximum(y_true, 0)
        logits = y_pred
        if not self.from_logits:
            least = keras.config.epsilon()
            p = ops.clip(y_pred, least, 1 - least)
            logits = ops.log(p) - ops.log(1 - p)
        # -log of the probability of what is true.
        signed = logits * (2 * there - 1)
        entropy = ops.softplus(-signed)
        missing = ops.sigmoid(-signed) ** self.gamma
        weight = self.alpha * there + (1 - self.alpha) * (1 - there)
        count = ops.sum(ops.cast(ops.any(y_true > 0, axis=-1), y_pred.dtype))
        return ops.sum(weight * missing * entropy * known) / ops.maximum(count, 1)

    def get_config(self):
        config = {"alpha": self.alpha, "gamma": self.gamma, "from_logits": self.from_logits}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("keras_video")
class SpanIoULoss(keras.losses.Loss):
    """1 less the overlap of spans, and the distance of their middles (arXiv:1911.08287), per point.

    `y_true` and `y_pred` are distances to start and end, float `(batch, points, 2)`; points of
    which `y_true` is negative do not count.
    """

    def __init__(self, name="span_iou_loss", reduction="sum_over_batch_size", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        known = ops.cast(y_true[..., 0] >= 0, y_pred.dtype)
        true = ops.maximum(y_true, 0)
        epsilon = keras.config.epsilon()
        shared = ops.sum(ops.minimum(y_pred, true), axis=-1)
        union = ops.sum(y_pred, axis=-1) + ops.sum(true, axis=-1) - shared
        hull = ops.sum(ops.maximum(y_pred, true), axis=-1)
        middle = 0.5 * ((y_pred[..., 1] - y_pred[..., 0]) - (true[..., 1] - true[..., 0]))
        overlap = shared / ops.maximum(union, epsilon)
        loss = 1 - overlap + ops.square(middle / ops.maximum(hull, epsilon))
        return ops.sum(loss * known) / ops.maximum(ops.sum(known), 1)

"""Losses of a span detector: of its classes and of its offsets (`span_targets`)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_video")
class SpanFocalLoss(keras.losses.Loss):
    """Focal loss (arXiv:1708.02002) of the classes of points, per positive point.

    `y_true` is float `(batch, points, classes)`: 1, 0, or -1 for ignored entries; `y_pred`
    probabilities, or logits, of the same shape. `VideoModel` passes the logits of a sigmoid.

    Args:
        alpha: weight of positive classes; negative ones have 1 - alpha.
        gamma: focusing parameter, which down-weights well-classified points.
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
        positive = ops.maximum(y_true, 0)
        logits = y_pred
        if not self.from_logits:
            epsilon = keras.config.epsilon()
            p = ops.clip(y_pred, epsilon, 1 - epsilon)
            logits = ops.log(p) - ops.log(1 - p)
        # -log of the probability of the target.
        signed = logits * (2 * positive - 1)
        entropy = ops.softplus(-signed)
        missing = ops.sigmoid(-signed) ** self.gamma
        weight = self.alpha * positive + (1 - self.alpha) * (1 - positive)
        count = ops.sum(ops.cast(ops.any(y_true > 0, axis=-1), y_pred.dtype))
        return ops.sum(weight * missing * entropy * known) / ops.maximum(count, 1)

    def get_config(self):
        config = {"alpha": self.alpha, "gamma": self.gamma, "from_logits": self.from_logits}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("keras_video")
class SpanIoULoss(keras.losses.Loss):
    """Distance-IoU loss of spans (arXiv:1911.08287), averaged over points.

    It is 1 minus the IoU of the spans, plus the squared relative distance of their centers.
    `y_true` and `y_pred` are distances to start and end, float `(batch, points, 2)`; points with
    negative `y_true` are ignored.
    """

    def __init__(self, name="span_iou_loss", reduction="sum_over_batch_size", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        known = ops.cast(y_true[..., 0] >= 0, y_pred.dtype)
        true = ops.maximum(y_true, 0)
        epsilon = keras.config.epsilon()
        intersection = ops.sum(ops.minimum(y_pred, true), axis=-1)
        union = ops.sum(y_pred, axis=-1) + ops.sum(true, axis=-1) - intersection
        hull = ops.sum(ops.maximum(y_pred, true), axis=-1)
        center = 0.5 * ((y_pred[..., 1] - y_pred[..., 0]) - (true[..., 1] - true[..., 0]))
        iou = intersection / ops.maximum(union, epsilon)
        loss = 1 - iou + ops.square(center / ops.maximum(hull, epsilon))
        return ops.sum(loss * known) / ops.maximum(ops.sum(known), 1)

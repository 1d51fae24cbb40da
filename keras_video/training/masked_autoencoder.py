"""Self-supervised pretraining: predicts a clip's masked tubelets from the visible ones."""

import keras
import numpy as np
from keras import layers, ops

from keras_video.layers.dense import Dense, small_normal
from keras_video.layers.masking import (
    DecoderTokens,
    gather_tokens,
    normalized_tubelets,
    split_by_mask,
    tubelet_pixels,
)
from keras_video.layers.transformer_block import TransformerBlock
from keras_video.weights.loading import load_encoder, variables_by_key

# ImageNet's mean and standard deviation, on a scale of 0 to 255.
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@keras.saving.register_keras_serializable("keras_video")
class MaskedAutoencoder(keras.Model):
    """VideoMAE's masked autoencoder (arXiv:2203.12602), and V2's (arXiv:2303.16727).

    The encoder receives the visible tubelets. A lightweight decoder receives their encoding, and a
    learned mask token with its position for each tubelet to predict: all masked ones, or those
    that a second mask keeps (V2's dual masking). The loss is the mean squared error over the
    masked tubelets among these. Every target tubelet is normalized by its own mean and standard
    deviation in each channel.

    Inputs: a dictionary of "clip", float `(batch, frames, height, width, 3)`, normalized by `mean`
    and `std`; "mask", `(batch, tubelets)`, true or 1 where a tubelet is masked, the same number in
    every clip; and with a `decoder_mask_ratio` "decoder_mask", true or 1 where a tubelet is not
    predicted. `keras_video.data.masked_dataset` yields these. Output: predictions
    `(batch, predicted, frames * height * width * 3 of a tubelet)`, channels the fastest axis.

    `fit` and `train_on_batch` need no targets and no loss: `compile(optimizer)` is enough. The
    layers of `encoder` are trained in place: afterwards the given model has the trained weights.

    Args:
        encoder: a `keras_video.applications.VideoMAE`, with or without its classifier; layers
            after its blocks are not used.
        mask_ratio: fraction of the tubelets that masks hide at every time step, rounded down.
        decoder_mask_ratio: fraction of the tubelets that decoder masks skip; 0 for none.
        decoder_dim: width of the decoder; half the encoder's if not given.
        decoder_layers: number of decoder blocks.
        decoder_heads: number of decoder attention heads; half the encoder's if not given.
        encoder_norm: whether encoded tokens are normalized, as in the published pretraining.
        decoder_epsilon: of the norm after the decoder's blocks, whose own norms use the encoder's
            epsilon; 1e-5 in Hugging Face checkpoints.
        normalize_targets: whether target tubelets are normalized; otherwise the targets are pixels
            in [0, 1].
        mean, std: used to normalize the clips, on a scale of 0 to 255.

    Attributes:
        encoder_weights: `{layer/variable: array}` of the encoder.

    Raises:
        ValueError: for an unsupported encoder, or ratios that mask all tubelets or none.
    """

    def __init__(
        self,
        encoder,
        mask_ratio=0.9,
        decoder_mask_ratio=0.0,
        decoder_dim=None,
        decoder_layers=4,
        decoder_heads=None,
        encoder_norm=True,
        decoder_epsilon=1e-6,
        normalize_targets=True,
        mean=MEAN,
        std=STD,
        name="masked_autoencoder",
        trainable=True,
        dtype=None,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.blocks = encoder_blocks(encoder)
        positions = encoder.get_layer("positions")
        self.embedding = keras.Model(encoder.inputs, positions.output, name="tubelets")
        self._encoded = self.blocks[-1].output
        self.grid = tuple(positions.input.shape[1:4])
        self.tubelet = tuple(encoder.get_layer("patch_embed_projection").kernel_size)
        self.mask_ratio, self.decoder_mask_ratio = float(mask_ratio), float(decoder_mask_ratio)
        self.masked = masked_tubelets(self.grid, self.mask_ratio)
        self.skipped = skipped_tubelets(self.grid, self.decoder_mask_ratio)
        self.decoder_layers = decoder_layers
        self.decoder_dim = decoder_dim or positions.output.shape[-1] // 2
        self.decoder_heads = decoder_heads or max(self.blocks[0].heads // 2, 1)
        self.encoder_norm, self.decoder_epsilon = bool(encoder_norm), float(decoder_epsilon)
        self.normalize_targets = bool(normalize_targets)
        self.mean, self.std = tuple(map(float, mean)), tuple(map(float, std))
        self._build_decoder(positions.output.shape[-1])
        self._error = keras.losses.MeanSquaredError()
        self.built = True

    def _build_decoder(self, width):
        first, positions = self.blocks[0], int(np.prod(self.grid))
        policy = first.dtype_policy
        tokens, narrow = (None, None, width), (None, positions, self.decoder_dim)
        if self.encoder_norm:
            self.norm = layers.LayerNormalization(epsilon=first.epsilon, dtype=policy, name="norm")
            self.norm.build(tokens)
        self.encoder_to_decoder = Dense(
            self.decoder_dim, use_bias=False, kernel_initializer=small_normal(), dtype=policy,
            name="encoder_to_decoder",
        )  # fmt: skip
        self.encoder_to_decoder.build(tokens)
        self.decoder_tokens = DecoderTokens(positions, dtype=policy, name="decoder_tokens")
        self.decoder_tokens.build((None, None, self.decoder_dim))
        self.decoder_blocks = [
            TransformerBlock(
                self.decoder_heads,
                4 * self.decoder_dim,
                first.key_bias,
                epsilon=first.epsilon,
                layer_scale=first.layer_scale,
                rematerialize=first.rematerialize,
                dtype=policy,
                name=f"decoder_blocks_{index}",
            )  # fmt: skip
            for index in range(self.decoder_layers)
        ]
        self.decoder_norm = layers.LayerNormalization(
            epsilon=self.decoder_epsilon, dtype=policy, name="decoder_norm"
        )
        self.decoder_head = Dense(
            int(np.prod(self.tubelet)) * 3, kernel_initializer=small_normal(), dtype="float32",
            name="decoder_head",
        )  # fmt: skip
        for layer in (*self.decoder_blocks, self.decoder_norm, self.decoder_head):
            layer.build(narrow)

    def call(self, inputs, training=None):
        self._check(inputs)
        visible, _ = split_by_mask(inputs["mask"], self.masked)
        predicted = self._predicted(inputs)
        x = gather_tokens(self.embedding(inputs["clip"], training=training), visible)
        for block in self.blocks:
            x = block(x, training=training)
        if self.encoder_norm:
            x = self.norm(x)
        x = self.decoder_tokens(self.encoder_to_decoder(x), visible, predicted)
        for block in self.decoder_blocks:
            x = block(x, training=training)
        _, x = ops.split(x, [visible.shape[1]], axis=1)
        return self.decoder_head(self.decoder_norm(x))

    def targets(self, inputs):
        """The targets of the predictions, float32 of the same shape."""
        mean, std = (ops.convert_to_tensor(value, "float32") for value in (self.mean, self.std))
        clip = (ops.cast(inputs["clip"], "float32") * std + mean) / 255
        pixels = tubelet_pixels(clip, self.tubelet)
        if self.normalize_targets:
            pixels = normalized_tubelets(pixels)
        pixels = ops.reshape(pixels, (-1, pixels.shape[1], pixels.shape[2] * pixels.shape[3]))
        return gather_tokens(pixels, self._predicted(inputs))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        targets = self.targets(x)
        if not self.skipped:
            return self._error(targets, y_pred)
        # Tubelets visible to the encoder are predicted, but excluded from the loss.
        mask = ops.expand_dims(ops.cast(x["mask"], "float32"), -1)
        counts = gather_tokens(mask, self._predicted(x))[..., 0]
        return self._error(targets, y_pred, sample_weight=counts / ops.mean(counts))

    def _check(self, inputs):
        """Raises a ValueError for inputs that lack a mask, or masks of another length."""
        names = ("clip", "mask", *(["decoder_mask"] if self.skipped else []))
        received = sorted(inputs) if isinstance(inputs, dict) else type(inputs).__name__
        if not isinstance(inputs, dict) or not set(names) <= set(inputs):
            raise ValueError(f"received {received}, expected a dictionary of {', '.join(names)}.")
        positions = int(np.prod(self.grid))
        for name in names[1:]:
            if len(inputs[name].shape) != 2 or inputs[name].shape[1] != positions:
                raise ValueError(
                    f"{name} of shape {tuple(inputs[name].shape)}: expected (batch, {positions}), "
                    f"as the clip has {' x '.join(map(str, self.grid))} tubelets."
                )

    def _predicted(self, inputs):
        if self.skipped:
            return split_by_mask(inputs["decoder_mask"], self.skipped)[0]
        return split_by_mask(inputs["mask"], self.masked)[1]

    @property
    def encoder_weights(self):
        own = (*self.embedding.layers, *self.blocks)
        names = {layer.name for layer in own}
        return {
            key: ops.convert_to_numpy(variable)
            for key, variable in variables_by_key(self).items()
            if variable.path.split("/")[0] in names
        }

    def load_encoder(self, model):
        """Loads the pretrained weights into a `VideoMAE` of the encoder's size.

        Returns:
            The keys of the model's variables that keep their initialization: its last norm and the
            classifier.

        Raises:
            WeightsError: for a different network, which is left unchanged.
        """
        return load_encoder(model, self.encoder_weights)

    def get_config(self):
        names = ("mask_ratio", "decoder_mask_ratio", "decoder_dim", "decoder_layers",
                 "decoder_heads", "encoder_norm", "decoder_epsilon", "normalize_targets", "mean",
                 "std")  # fmt: skip
        encoder = keras.Model(self.embedding.inputs, self._encoded, name="encoder")
        return {
            **{name: getattr(self, name) for name in names},
            "encoder": keras.saving.serialize_keras_object(encoder),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        encoder = keras.saving.deserialize_keras_object(config["encoder"], custom_objects)
        return cls(**{**config, "encoder": encoder})


def encoder_blocks(encoder):
    """The blocks of a `VideoMAE`.

    Raises:
        ValueError: for a different network.
    """
    names = {layer.name for layer in encoder.layers}
    blocks = [layer for layer in encoder.layers if isinstance(layer, TransformerBlock)]
    if not {"patch_embed_projection", "positions"} <= names or not blocks:
        raise ValueError(
            f"encoder={encoder.name!r}: expected a VideoMAE, with the layers "
            "patch_embed_projection and positions, and transformer blocks."
        )
    return blocks


def masked_tubelets(grid, ratio):
    """Number of masked tubelets of a clip: a fraction of every time step's, rounded down.

    Raises:
        ValueError: if all or none are masked.
    """
    times, rows, columns = grid
    masked = floor_fraction(ratio, rows * columns)
    if not 0 < masked < rows * columns:
        raise ValueError(
            f"mask_ratio={ratio}: masks {masked} of {rows * columns} positions, expected at least "
            "one masked and one visible."
        )
    return times * masked


def skipped_tubelets(grid, ratio):
    """Number of tubelets of a clip that a decoder mask skips: a fraction of every 2 x 2 cell.

    Raises:
        ValueError: for a ratio that skips none or all of four, unless it is 0, or an odd number
            of rows or columns.
    """
    if not ratio:
        return 0
    times, rows, columns = grid
    cell = floor_fraction(ratio, 4)
    if not 0 < cell < 4 or rows % 2 or columns % 2:
        raise ValueError(
            f"decoder_mask_ratio={ratio}: expected 0, 0.25, 0.5 or 0.75 and even numbers of rows "
            f"and columns of tubelets, received {rows} x {columns}."
        )
    return times * rows * columns // 4 * cell


def floor_fraction(ratio, count):
    """A fraction of `count`, rounded down but tolerating floating-point error."""
    return int(ratio * count + 1e-6)

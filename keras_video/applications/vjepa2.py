"""V-JEPA 2: a vision transformer with rotary positions, and the attentive probe on it."""

from dataclasses import replace

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.attention import AttentivePooling
from keras_video.layers.plain_transformer import Size, chosen_size, transformer_body
from keras_video.layers.tubelets import TokenMap, tubelet_embedding, tubelet_grid

__all__ = ["VJEPA2", "decode_predictions", "preprocess_input"]

SIZES = {
    "large": Size(1024, 24, 16, 4096),
    "huge": Size(1280, 32, 16, 5120),
    "giant": Size(1408, 40, 22, 6144),
}


@documented
def VJEPA2(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=174,
    classifier_activation="softmax",
    name="vjepa2",
    *,
    size="large",
    patch_size=None,
    tubelet_frames=2,
    embed_dim=None,
    num_heads=None,
    num_layers=None,
    mlp_dim=None,
    pooler_layers=3,
    drop_path=0.0,
    dropout=0.0,
    rematerialize=False,
):
    """Vision transformer with rotary positions, and an attentive probe (arXiv:2506.09985).

    The encoder was trained to predict the features of masked tubelets; the predictor of this
    pretraining is not part of the model. The probe is a few blocks over the encoder's normalized
    tokens, and a learned query that attends to them. Positions are those of the clip's own grid,
    regardless of its size. Published weights expect pixels normalized with ImageNet's mean and std.

    Args:
        include_top: whether to include the probe and the classifier.
        input_shape: `(frames, height, width, channels)`; `(16, 256, 256, 3)` if not given. All
            known, and multiples of the tubelet size.
        pooling: without the top: `None` (the encoder's normalized features
            `(batch, frames / tubelet_frames, height / patch_size, width / patch_size, embed_dim)`),
            "avg" or "max" of these, `(batch, embed_dim)`.
        size: "large", "huge" or "giant". The five numbers below override those of the size.
        patch_size: side length of a tubelet in pixels.
        tubelet_frames: frames per tubelet.
        embed_dim: embedding dimension of the tokens.
        num_heads: attention heads of encoder and probe; their number divides `embed_dim`.
        num_layers: number of encoder blocks.
        mlp_dim: hidden width of the encoder's feed-forward networks; the probe's is
            `4 * embed_dim`.
        pooler_layers: number of blocks in the probe.
        drop_path: stochastic depth rate of the encoder's last block, increasing linearly from 0 at
            the first.
        dropout: dropout rate before the classifier.
        rematerialize: whether training stores only the input of each block and recomputes the rest
            for the gradient.

    Raises:
        ValueError: for an unknown size, an input that is not a whole number of tubelets, an
            `embed_dim` that the heads do not divide, or arguments without published weights.
    """
    numbers = chosen_size(
        SIZES,
        size,
        embed_dim=embed_dim,
        num_layers=num_layers,
        num_heads=num_heads,
        mlp_dim=mlp_dim,
        patch_size=patch_size,
    )
    side = numbers.patch_size
    clip = clip_input(input_tensor, input_shape, (16, 256, 256, 3), minimum_size=side)
    tubelet = (tubelet_frames, side, side)
    grid = tubelet_grid(clip, tubelet)
    x = tubelet_embedding(clip, tubelet, numbers.embed_dim)
    x = layers.Reshape((-1, numbers.embed_dim), name="tokens")(x)
    x = transformer_body(
        x, numbers, drop_path=drop_path, rotary_grid=grid, rematerialize=rematerialize
    )
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    if include_top:
        x = _probe(x, numbers, pooler_layers, rematerialize)
        x = classifier(x, classes, classifier_activation, dropout, stddev=0.02)
    else:
        x = pool_features(TokenMap(*grid, name="tubelet_map")(x), pooling)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=VJEPA2,
        arguments={"size": size, "patch_size": patch_size, "embed_dim": embed_dim,
                   "num_layers": num_layers, "pooler_layers": pooler_layers},
    )  # fmt: skip


def _probe(x, encoder, count, rematerialize):
    """Blocks without position embeddings, and attentive pooling: `(batch, width)`."""
    size = replace(encoder, num_layers=count, mlp_dim=4 * encoder.embed_dim)
    x = transformer_body(
        x, size, drop_path=0.0, name="pooler_self_attention_layers", rematerialize=rematerialize
    )
    return AttentivePooling(encoder.num_heads, name="pooler")(x)

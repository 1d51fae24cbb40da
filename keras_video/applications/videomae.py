"""VideoMAE and VideoMAE V2: plain vision transformers over tubelets, pretrained by masking."""

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.plain_transformer import Size, chosen_size, transformer_body
from keras_video.layers.tubelets import (
    SinePositions,
    TokenMap,
    tubelet_embedding,
    tubelet_grid,
)

__all__ = ["VideoMAE", "decode_predictions", "preprocess_input"]

SIZES = {
    "small": Size(384, 12, 6, 1536),
    "base": Size(768, 12, 12, 3072),
    "large": Size(1024, 24, 16, 4096),
    "huge": Size(1280, 32, 16, 5120),
    # VideoMAE V2's, with 11 x 2 / 6 of its width inside and smaller patches.
    "giant": Size(1408, 40, 16, 6144, patch_size=14),
}


@documented
def VideoMAE(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="videomae",
    *,
    size="base",
    patch_size=None,
    tubelet_frames=2,
    embed_dim=None,
    num_heads=None,
    num_layers=None,
    mlp_dim=None,
    epsilon=1e-6,
    head_epsilon=1e-6,
    table_grid=None,
    layer_scale=None,
    drop_path=0.1,
    dropout=0.0,
    rematerialize=False,
    allow_noncommercial=False,
):
    """Plain vision transformer over tubelets (VideoMAE arXiv:2203.12602, V2 arXiv:2303.16727).

    Tubelets of two frames and 16 x 16 pixels get fixed sines of their places and attend to each
    other in every block; the mean of the tokens is normed and classified. Published weights expect
    pixels normalized by ImageNet's mean and deviation.

    Args:
        input_shape: `(frames, height, width, channels)`; `(16, 224, 224, 3)` if not given. All
            known, and multiples of the tubelets'.
        pooling: without the top: `None` (the tubelets' features
            `(batch, frames / tubelet_frames, height / patch_size, width / patch_size, embed_dim)`),
            "avg" or "max" of these, `(batch, embed_dim)`; normed in each case.
        size: "small", "base", "large", "huge", or "giant" (VideoMAE V2's). The five numbers below
            replace its own where they are given.
        patch_size: pixels of a tubelet's side.
        tubelet_frames: frames of a tubelet.
        embed_dim: width of the tokens.
        num_heads: attention heads; they divide the width.
        num_layers: number of blocks.
        mlp_dim: width inside of the feed-forward networks.
        epsilon: of the norms of the blocks; 1e-12 in files of Hugging Face.
        head_epsilon: of the norm before the classifier; 1e-5 in files of Hugging Face.
        table_grid: `(times, rows, columns)` of the clips that the weights were trained with, to
            interpolate the sines of clips of another size from (bicubic over rows and columns), as
            MMAction2 does; `None` for sines of the clip's own places, as the original does.
        layer_scale: start of a learned factor per channel of every branch, or `None` for none.
        drop_path: stochastic depth of the last block; it grows linearly from 0 in the first.
        dropout: share of the features dropped before the classifier in training.
        rematerialize: whether training holds the input of every block alone and computes the rest
            again for the gradient. A step of AdamW on one clip of 16 x 224 x 224 with the size
            "large" then takes 4.9 GB in place of 19.5, weights and moments included, as the
            compiler plans it (`benchmarks/training_memory.py`).
        allow_noncommercial: whether `weights="kinetics400"` may choose weights that are for
            non-commercial use alone.

    Raises:
        ValueError: for an unknown size, an input that is no whole number of tubelets, a width
            that the heads do not divide, or arguments that no published weights have.
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
    clip = clip_input(input_tensor, input_shape, (16, 224, 224, 3), minimum_size=side)
    tubelet = (tubelet_frames, side, side)
    grid = tubelet_grid(clip, tubelet)
    x = tubelet_embedding(clip, tubelet, numbers.embed_dim)
    x = SinePositions(table_grid, name="positions")(x)
    x = transformer_body(
        x,
        numbers,
        drop_path=drop_path,
        key_bias=False,
        epsilon=epsilon,
        layer_scale=layer_scale,
        rematerialize=rematerialize,
    )
    norm = layers.LayerNormalization(epsilon=head_epsilon, name="fc_norm")
    if include_top:
        x = norm(layers.GlobalAveragePooling1D(name="avg_pool")(x))
        x = classifier(x, classes, classifier_activation, dropout, stddev=0.02)
    else:
        x = norm(pool_features(TokenMap(*grid, name="tubelet_map")(x), pooling))
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=VideoMAE,
        arguments={"size": size, "patch_size": patch_size, "embed_dim": embed_dim,
                   "num_layers": num_layers, "layer_scale": layer_scale},
        allow_noncommercial=allow_noncommercial,
    )  # fmt: skip

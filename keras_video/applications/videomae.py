"""VideoMAE and VideoMAE V2: plain vision transformers pretrained as masked autoencoders."""

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
    # Of VideoMAE V2, with an MLP ratio of 48 / 11 and smaller patches.
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

    Tubelets of two frames and 16 x 16 pixels get fixed sinusoidal position embeddings and attend to
    each other in every block; the mean of the tokens is normalized and classified. Published
    weights expect pixels normalized with ImageNet's mean and std.

    Args:
        input_shape: `(frames, height, width, channels)`; `(16, 224, 224, 3)` if not given. All
            known, and multiples of the tubelet size.
        pooling: without the top: `None` (the tubelet features
            `(batch, frames / tubelet_frames, height / patch_size, width / patch_size, embed_dim)`),
            "avg" or "max" of these, `(batch, embed_dim)`; normalized in each case.
        size: "small", "base", "large", "huge", or "giant" (VideoMAE V2's). The five numbers below
            override those of the size.
        patch_size: side length of a tubelet in pixels.
        tubelet_frames: frames per tubelet.
        embed_dim: embedding dimension of the tokens.
        num_heads: attention heads; their number divides `embed_dim`.
        num_layers: number of blocks.
        mlp_dim: hidden width of the feed-forward networks.
        epsilon: epsilon of the layer norms in the blocks; 1e-12 in Hugging Face checkpoints.
        head_epsilon: epsilon of the layer norm before the classifier; 1e-5 in Hugging Face
            checkpoints.
        table_grid: `(times, rows, columns)` of the clips that the weights were trained on, whose
            sines are interpolated for clips of another size (bicubic over rows and columns), as in
            MMAction2; `None` for sines of the clip's own positions, as in the original.
        layer_scale: initial value of a learned factor per channel of each residual branch, or
            `None` for none.
        drop_path: stochastic depth rate of the last block, increasing linearly from 0 at the first.
        dropout: dropout rate before the classifier.
        rematerialize: whether training stores only the input of each block and recomputes the rest
            for the gradient. An AdamW step of size "large" on one clip of 16 x 224 x 224 then takes
            4.9 GB instead of 19.5, weights and moments included, according to the compiler's memory
            plan (`benchmarks/training_memory.py`).
        allow_noncommercial: whether `weights="kinetics400"` may select weights that are
            licensed for non-commercial use only.

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

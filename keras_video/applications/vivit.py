"""ViViT: a plain vision transformer over tubelets."""

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.plain_transformer import Size, chosen_size, transformer_body
from keras_video.layers.tokens import ClassToken
from keras_video.layers.tubelets import (
    LearnedPositions,
    TokenMap,
    tubelet_embedding,
    tubelet_grid,
)

__all__ = ["ViViT", "decode_predictions", "preprocess_input"]

SIZES = {
    "base": Size(768, 12, 12, 3072),
    "large": Size(1024, 24, 16, 4096),
}


@documented
def ViViT(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="vivit",
    *,
    size="base",
    patch_size=None,
    tubelet_frames=2,
    embed_dim=None,
    num_heads=None,
    num_layers=None,
    mlp_dim=None,
    drop_path=0.0,
    dropout=0.0,
    rematerialize=False,
):
    """Plain vision transformer over tubelets, unfactorized: "model 1" of arXiv:2103.15691.

    Tubelets and a class token, each with a learned position embedding, attend to each other in
    every block; the class token is classified. Position embeddings of weights for another size or
    number of frames are interpolated: linear over time, bicubic over rows and columns.

    Args:
        input_shape: `(frames, height, width, channels)`; `(32, 224, 224, 3)` if not given. All
            known, and multiples of the tubelet size.
        pooling: without the top: `None` (the tubelet features
            `(batch, frames / tubelet_frames, height / patch_size, width / patch_size, embed_dim)`),
            "avg" or "max" of these, or "token" (the class token); the last three
            `(batch, embed_dim)`.
        size: "base" or "large". The five numbers below override those of the size.
        patch_size: side length of a tubelet in pixels.
        tubelet_frames: frames per tubelet.
        embed_dim: embedding dimension of the tokens.
        num_heads: attention heads; their number divides `embed_dim`.
        num_layers: number of blocks.
        mlp_dim: hidden width of the feed-forward networks.
        drop_path: stochastic depth rate of the last block, increasing linearly from 0 at the first.
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
    clip = clip_input(input_tensor, input_shape, (32, 224, 224, 3), minimum_size=side)
    tubelet = (tubelet_frames, side, side)
    grid = tubelet_grid(clip, tubelet)
    x = tubelet_embedding(clip, tubelet, numbers.embed_dim)
    x = LearnedPositions(name="embedding")(x)
    x = transformer_body(
        x, numbers, drop_path=drop_path, approximate_gelu=True, rematerialize=rematerialize
    )
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    if include_top or pooling == "token":
        x = ClassToken(name="class_token")(x)
    if include_top:
        x = classifier(x, classes, classifier_activation, dropout, stddev=0.02)
    elif pooling != "token":
        x = pool_features(TokenMap(*grid, name="tubelet_map")(x), pooling)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=ViViT,
        arguments={"size": size, "patch_size": patch_size, "embed_dim": embed_dim,
                   "num_layers": num_layers},
    )  # fmt: skip

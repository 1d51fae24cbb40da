"""VideoMAE's and VideoMAE V2's repositories (arXiv:2203.12602, arXiv:2303.16727)."""

from keras_video.weights.dialects.dialect import Dialect, either

BLOCK = r"blocks\.\d+"

VIDEOMAE = Dialect(
    name="videomae",
    pattern=either(
        r"patch_embed\.proj\.(?:weight|bias)",
        rf"{BLOCK}\.(?:norm[12]|mlp\.fc[12]|attn\.proj)\.(?:weight|bias)",
        rf"{BLOCK}\.attn\.(?:qkv\.weight|[qv]_bias)",
        rf"{BLOCK}\.gamma_[12]",
        r"(?:fc_norm|head)\.(?:weight|bias)",
    ),
    rules=(
        (r"^patch_embed\.proj\.", "patch_embed.projection."),
        (r"^head\.", "fc_cls."),
    ),
    head=r"head\.",
    # The fixed sinusoidal embeddings are computed.
    ignored=r"pos_embed",
    arguments={"VideoMAE": {"epsilon": 1e-6, "head_epsilon": 1e-6}},
)

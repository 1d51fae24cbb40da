"""MMAction2 1.x's VideoMAE and VideoMAE V2."""

from keras_video.weights.dialects.dialect import Dialect, either

BLOCK = r"backbone\.blocks\.\d+"

MMACTION2_VIDEOMAE = Dialect(
    name="mmaction2_videomae",
    pattern=either(
        r"backbone\.patch_embed\.projection\.(?:weight|bias)",
        rf"{BLOCK}\.(?:norm[12]|mlp\.layers\.(?:0\.0|1)|attn\.proj)\.(?:weight|bias)",
        rf"{BLOCK}\.attn\.(?:qkv\.weight|[qv]_bias)",
        rf"{BLOCK}\.gamma_[12]",
        r"backbone\.fc_norm\.(?:weight|bias)",
        r"cls_head\.fc_cls\.(?:weight|bias)",
    ),
    rules=(
        (r"\.mlp\.layers\.0\.0\.", ".mlp.fc1."),
        (r"\.mlp\.layers\.1\.", ".mlp.fc2."),
        (r"^(backbone|cls_head)\.", ""),
    ),
    head=r"cls_head\.",
    # The fixed sinusoidal embeddings are computed.
    ignored=r"backbone\.pos_embed",
    arguments={"VideoMAE": {"epsilon": 1e-6, "head_epsilon": 1e-6}},
)

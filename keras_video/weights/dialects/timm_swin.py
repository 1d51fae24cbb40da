"""Image Swin transformers of timm and of the authors' repository (arXiv:2103.14030)."""

from keras_video.weights.dialects.dialect import Dialect, either

BODY = either(
    r"patch_embed\.(?:proj|norm)\.(?:weight|bias)",
    r"layers\.\d\.blocks\.\d+\.(?:norm[12]|attn\.(?:qkv|proj)|mlp\.fc[12])\.(?:weight|bias)",
    r"layers\.\d\.blocks\.\d+\.(?:attn\.relative_position_(?:bias_table|index)|attn_mask)",
    r"layers\.\d\.downsample\.(?:norm|reduction)\.(?:weight|bias)",
    r"norm\.(?:weight|bias)",
)

TIMM_SWIN = Dialect(
    name="timm_swin",
    pattern=either(BODY, r"head\.(?:weight|bias)"),
    rules=(),
    head=r"head\.",
)

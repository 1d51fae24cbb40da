"""timm's image transformers (arXiv:2010.11929), from which TimeSformer is initialized."""

from keras_video.weights.dialects.dialect import Dialect, either

BODY = either(
    r"cls_token|pos_embed",
    r"patch_embed\.proj\.(?:weight|bias)",
    r"blocks\.\d+\.(?:norm[12]|attn\.(?:qkv|proj)|mlp\.fc[12])\.(?:weight|bias)",
    r"norm\.(?:weight|bias)",
)

RULES = (
    (r"^(cls_token|pos_embed|time_embed)$", r"embedding.\1"),
    (r"^patch_embed\.proj\.", "patch_embed.projection."),
    (r"^head\.", "fc_cls."),
    (r"^blocks\.(\d+)\.", r"transformer_layers.layers.\1."),
    (r"(layers\.\d+)\.norm1\.", r"\1.norms.0."),
    (r"(layers\.\d+)\.norm2\.", r"\1.norms.1."),
    (r"(layers\.\d+)\.attn\.qkv\.", r"\1.attentions.0.attn.qkv."),
    (r"(layers\.\d+)\.attn\.proj\.", r"\1.attentions.0.attn.out_proj."),
    (r"(layers\.\d+)\.mlp\.fc1\.", r"\1.ffns.0.layers.0.0."),
    (r"(layers\.\d+)\.mlp\.fc2\.", r"\1.ffns.0.layers.1."),
)

# The layer before the classifier of the ImageNet-21K training is not part of the body.
REPRESENTATION = r"pre_logits\.fc\.(?:weight|bias)"

TIMM_VIT = Dialect(
    name="timm_vit",
    pattern=either(BODY, REPRESENTATION, r"head\.(?:weight|bias)"),
    rules=RULES,
    head=r"head\.",
    ignored=REPRESENTATION,
)

"""Encoders of V-JEPA 2's repository (arXiv:2506.09985), whose probes are separate files."""

from keras_video.weights.dialects.dialect import Dialect, either

VJEPA2 = Dialect(
    name="vjepa2",
    pattern=either(
        r"backbone\.patch_embed\.proj\.(?:weight|bias)",
        r"backbone\.blocks\.\d+\.(?:norm[12]|attn\.(?:qkv|proj)|mlp\.fc[12])\.(?:weight|bias)",
        r"backbone\.norm\.(?:weight|bias)",
    ),
    # MMAction2's transformers call it `projection`.
    mark=r"backbone\.patch_embed\.proj\.weight",
    rules=(
        (r"^backbone\.", ""),
        (r"^patch_embed\.proj\.", "patch_embed.projection."),
    ),
    # Files may hold a position table although positions are rotary.
    ignored=r"backbone\.pos_embed",
)

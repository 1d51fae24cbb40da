"""TimeSformer's repository (arXiv:2102.05095)."""

from keras_video.weights.dialects import timm_vit
from keras_video.weights.dialects.dialect import Dialect, either, renamed


def mark_divided(state):
    """Distinguishes spatial attention that follows temporal attention from joint attention.

    Both are called `attn` in the repository; here they are attentions 1 and 0.
    """
    if not any(".temporal_attn." in name for name in state):
        return state

    def mark(name):
        name = name.replace(".attn.", ".spatial_attn.")
        return name.replace(".norm1.", ".spatial_norm1.").replace(".norm2.", ".divided_norm2.")

    return renamed(state, mark)


RULES = (
    *timm_vit.RULES,
    (r"(layers\.\d+)\.temporal_norm1\.", r"\1.attentions.0.norm."),
    (r"(layers\.\d+)\.temporal_attn\.qkv\.", r"\1.attentions.0.attn.qkv."),
    (r"(layers\.\d+)\.temporal_attn\.proj\.", r"\1.attentions.0.attn.out_proj."),
    (r"(layers\.\d+)\.temporal_fc\.", r"\1.attentions.0.temporal_fc."),
    (r"(layers\.\d+)\.spatial_norm1\.", r"\1.attentions.1.norm."),
    (r"(layers\.\d+)\.spatial_attn\.qkv\.", r"\1.attentions.1.attn.qkv."),
    (r"(layers\.\d+)\.spatial_attn\.proj\.", r"\1.attentions.1.attn.out_proj."),
    (r"(layers\.\d+)\.divided_norm2\.", r"\1.ffns.0.norm."),
)

TIMESFORMER = Dialect(
    name="timesformer",
    pattern=either(
        timm_vit.BODY,
        r"time_embed",
        r"blocks\.\d+\.(?:temporal_norm1|temporal_attn\.(?:qkv|proj)|temporal_fc)\.(?:weight|bias)",
        r"head\.(?:weight|bias)",
    ),
    rules=RULES,
    transforms=(mark_divided,),
    head=r"head\.",
)

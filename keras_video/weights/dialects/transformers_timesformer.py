"""TimeSformer of Hugging Face's transformers."""

from keras_video.weights.dialects.dialect import Dialect, either, renamed

LAYER = r"timesformer\.encoder\.layer\.\d+"


def mark_divided(state):
    """Distinguishes spatial attention that follows temporal attention from joint attention.

    Both are called `attention` in transformers; here they are attentions 1 and 0.
    """
    if not any(".temporal_attention." in name for name in state):
        return state
    return renamed(
        state,
        lambda name: (
            name.replace(".attention.output.", ".spatial_attention.output.")
            .replace(".temporal_spatial_attention.", ".temporal_attention.")
            .replace(".attention.attention.", ".spatial_attention.attention.")
            .replace(".layernorm_before.", ".spatial_layernorm.")
            .replace(".layernorm_after.", ".divided_layernorm.")
        ),
    )


RULES = (
    (r"^timesformer\.embeddings\.cls_token$", "embedding.cls_token"),
    (r"^timesformer\.embeddings\.position_embeddings$", "embedding.pos_embed"),
    (r"^timesformer\.embeddings\.time_embeddings$", "embedding.time_embed"),
    (r"^timesformer\.embeddings\.patch_embeddings\.projection\.", "patch_embed.projection."),
    (r"^timesformer\.encoder\.layer\.", "transformer_layers.layers."),
    (r"\.temporal_layernorm\.", ".attentions.0.norm."),
    (r"\.temporal_attention\.attention\.qkv\.", ".attentions.0.attn.qkv."),
    (r"\.temporal_attention\.output\.dense\.", ".attentions.0.attn.out_proj."),
    (r"\.temporal_dense\.", ".attentions.0.temporal_fc."),
    (r"\.spatial_layernorm\.", ".attentions.1.norm."),
    (r"\.spatial_attention\.attention\.qkv\.", ".attentions.1.attn.qkv."),
    (r"\.spatial_attention\.output\.dense\.", ".attentions.1.attn.out_proj."),
    (r"\.divided_layernorm\.", ".ffns.0.norm."),
    (r"\.layernorm_before\.", ".norms.0."),
    (r"\.layernorm_after\.", ".norms.1."),
    (r"\.attention\.attention\.qkv\.", ".attentions.0.attn.qkv."),
    (r"\.attention\.output\.dense\.", ".attentions.0.attn.out_proj."),
    (r"\.intermediate\.dense\.", ".ffns.0.layers.0.0."),
    (r"(layers\.\d+)\.output\.dense\.", r"\1.ffns.0.layers.1."),
    (r"^timesformer\.layernorm\.", "norm."),
    (r"^classifier\.", "fc_cls."),
)

TRANSFORMERS_TIMESFORMER = Dialect(
    name="transformers_timesformer",
    pattern=either(
        r"timesformer\.embeddings\.(?:cls_token|position_embeddings|time_embeddings)",
        r"timesformer\.embeddings\.patch_embeddings\.projection\.(?:weight|bias)",
        rf"{LAYER}\.(?:temporal_)?attention\.(?:attention\.qkv|output\.dense)\.(?:weight|bias)",
        rf"{LAYER}\.(?:layernorm_(?:before|after)|temporal_layernorm)\.(?:weight|bias)",
        rf"{LAYER}\.(?:intermediate\.dense|output\.dense|temporal_dense)\.(?:weight|bias)",
        r"timesformer\.layernorm\.(?:weight|bias)",
        r"classifier\.(?:weight|bias)",
    ),
    rules=RULES,
    head=r"classifier\.",
    transforms=(mark_divided,),
)

"""V-JEPA 2 of Hugging Face's transformers, without the predictor of its pretraining."""

from keras_video.weights.dialects.dialect import Dialect, either
from keras_video.weights.dialects.plain_transformers import fuse_attention

LAYER = r"(?:vjepa2\.)?encoder\.layer\.\d+"
SELF = r"pooler\.self_attention_layers\.\d+"
CROSS = r"pooler\.cross_attention_layer"
MLP = r"mlp\.fc[12]"
PREDICTOR = r"(?:vjepa2\.)?predictor\..+"

TRANSFORMERS_VJEPA2 = Dialect(
    name="transformers_vjepa2",
    pattern=either(
        r"(?:vjepa2\.)?encoder\.embeddings\.patch_embeddings\.proj\.(?:weight|bias)",
        rf"{LAYER}\.(?:norm[12]|attention\.(?:query|key|value|proj)|{MLP})\.(?:weight|bias)",
        r"(?:vjepa2\.)?encoder\.layernorm\.(?:weight|bias)",
        PREDICTOR,
        r"pooler\.query_tokens",
        rf"{SELF}\.(?:layer_norm[12]|self_attn\.(?:[qkv]|out)_proj|{MLP})\.(?:weight|bias)",
        rf"{CROSS}\.(?:layer_norm[12]|cross_attn\.[qkv]_proj|{MLP})\.(?:weight|bias)",
        r"classifier\.(?:weight|bias)",
    ),
    rules=(
        (r"^vjepa2\.", ""),
        (r"^encoder\.embeddings\.patch_embeddings\.proj\.", "patch_embed.projection."),
        (r"^encoder\.layer\.", "blocks."),
        (r"^encoder\.layernorm\.", "norm."),
        (r"\.attention\.", ".attn."),
        (r"\.self_attn\.out_proj\.", ".attn.proj."),
        (r"\.self_attn\.", ".attn."),
        (r"^pooler\.cross_attention_layer\.(?:cross_attn\.)?", "pooler."),
        (r"\.layer_norm([12])\.", r".norm\1."),
        (r"^classifier\.", "fc_cls."),
    ),
    transforms=(fuse_attention,),
    head=r"(?:pooler|classifier)\.",
    ignored=PREDICTOR,
)

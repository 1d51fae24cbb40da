"""ViViT of Hugging Face's transformers."""

from keras_video.weights.dialects.dialect import Dialect, either
from keras_video.weights.dialects.plain_transformers import fuse_attention

# transformers 5 writes other names than earlier versions.
LAYER = r"vivit\.(?:encoder\.layer|layers)\.\d+"
PART = either(
    r"attention\.attention\.(?:query|key|value)",
    r"attention\.[qkvo]_proj",
    r"attention\.output\.dense",
    r"(?:intermediate|output)\.dense",
    r"mlp\.fc[12]",
    r"layernorm_(?:before|after)",
)

TRANSFORMERS_VIVIT = Dialect(
    name="transformers_vivit",
    pattern=either(
        r"vivit\.embeddings\.(?:cls_token|position_embeddings)",
        r"vivit\.embeddings\.patch_embeddings\.projection\.(?:weight|bias)",
        rf"{LAYER}\.(?:{PART})\.(?:weight|bias)",
        r"(?:vivit\.layernorm|classifier)\.(?:weight|bias)",
    ),
    rules=(
        (r"^vivit\.embeddings\.cls_token$", "embedding.cls_token"),
        (r"^vivit\.embeddings\.position_embeddings$", "embedding.pos_embed"),
        (r"^vivit\.embeddings\.patch_embeddings\.", "patch_embed."),
        (r"^vivit\.(?:encoder\.layer|layers)\.", "blocks."),
        (r"\.attention\.(?:attention\.)?qkv\.", ".attn.qkv."),
        (r"\.attention\.(?:output\.dense|o_proj)\.", ".attn.proj."),
        (r"\.intermediate\.dense\.", ".mlp.fc1."),
        (r"\.output\.dense\.", ".mlp.fc2."),
        (r"\.layernorm_before\.", ".norm1."),
        (r"\.layernorm_after\.", ".norm2."),
        (r"^vivit\.layernorm\.", "norm."),
        (r"^classifier\.", "fc_cls."),
    ),
    transforms=(fuse_attention,),
    head=r"classifier\.",
    ignored=r"vivit\.pooler\..*",
)

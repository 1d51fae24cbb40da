"""VideoMAE of Hugging Face's transformers."""

from keras_video.weights.dialects.dialect import Dialect, either
from keras_video.weights.dialects.plain_transformers import fuse_attention

LAYER = r"videomae\.encoder\.layer\.\d+"

# Of files that transformers 5 wrote and of those before, which have `q_bias` and `v_bias`.
ATTENTION = r"attention\.attention\.(?:(?:query|key|value)\.weight|(?:query|value)\.bias|[qv]_bias)"

TRANSFORMERS_VIDEOMAE = Dialect(
    name="transformers_videomae",
    pattern=either(
        r"videomae\.embeddings\.patch_embeddings\.projection\.(?:weight|bias)",
        rf"{LAYER}\.{ATTENTION}",
        rf"{LAYER}\.(?:attention\.output|intermediate|output)\.dense\.(?:weight|bias)",
        rf"{LAYER}\.layernorm_(?:before|after)\.(?:weight|bias)",
        r"(?:fc_norm|classifier)\.(?:weight|bias)",
    ),
    rules=(
        (r"^videomae\.embeddings\.patch_embeddings\.", "patch_embed."),
        (r"^videomae\.encoder\.layer\.", "blocks."),
        (r"\.attention\.attention\.", ".attn."),
        (r"\.attention\.output\.dense\.", ".attn.proj."),
        (r"\.intermediate\.dense\.", ".mlp.fc1."),
        (r"\.output\.dense\.", ".mlp.fc2."),
        (r"\.layernorm_before\.", ".norm1."),
        (r"\.layernorm_after\.", ".norm2."),
        (r"^classifier\.", "fc_cls."),
    ),
    transforms=(fuse_attention,),
    head=r"classifier\.",
    ignored=r"videomae\.embeddings\.position_embeddings",
    arguments={"VideoMAE": {"epsilon": 1e-12, "head_epsilon": 1e-5}},
)

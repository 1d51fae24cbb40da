"""Video Swin transformers of torchvision (arXiv:2106.13230)."""

from keras_video.weights.dialects.dialect import Dialect, either

STAGES = 4

# Stages and the patch merging between them are numbered consecutively in `features`.
RULES = (
    *((rf"^features\.{2 * stage}\.", f"layers.{stage}.blocks.") for stage in range(STAGES)),
    *(
        (rf"^features\.{2 * stage + 1}\.", f"layers.{stage}.downsample.")
        for stage in range(STAGES - 1)
    ),
    (r"\.mlp\.0\.", ".mlp.fc1."),
    (r"\.mlp\.3\.", ".mlp.fc2."),
    (r"^norm\.", "norm3."),
    (r"^head\.", "fc_cls."),
)

TORCHVISION_SWIN3D = Dialect(
    name="torchvision_swin3d",
    pattern=either(
        r"patch_embed\.(?:proj|norm)\.(?:weight|bias)",
        r"features\.[0246]\.\d+\.(?:norm[12]|attn\.(?:qkv|proj)|mlp\.[03])\.(?:weight|bias)",
        r"features\.[0246]\.\d+\.attn\.relative_position_(?:bias_table|index)",
        r"features\.[135]\.(?:norm|reduction)\.(?:weight|bias)",
        r"(?:norm|head)\.(?:weight|bias)",
    ),
    rules=RULES,
    head=r"head\.",
)

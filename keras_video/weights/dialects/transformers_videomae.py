"""VideoMAE of Hugging Face's transformers."""

import re

from keras_video.weights.dialects.dialect import Dialect, either, renamed
from keras_video.weights.dialects.plain_transformers import fuse_attention

LAYER = r"videomae\.encoder\.layer\.\d+"

# Names written by transformers 5, and by earlier versions with `q_bias` and `v_bias`.
ATTENTION = r"attention\.attention\.(?:(?:query|key|value)\.weight|(?:query|value)\.bias|[qv]_bias)"


def norm_of_features(state):
    """Renames the norm of a pretrained encoder's tokens to the feature norm of a headless model.

    A classifier of such an encoder would use the first token, which no network here does: its norm
    keeps its name, to be reported.
    """
    if any(name.startswith("classifier.") for name in state):
        return state
    return renamed(state, lambda name: re.sub(r"^videomae\.layernorm\.", "fc_norm.", name))


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
    transforms=(fuse_attention, norm_of_features),
    head=r"classifier\.",
    # The sinusoidal embeddings are computed; the pretraining decoder is not part of the network.
    ignored=either(
        r"(?:videomae\.embeddings|decoder)\.position_embeddings",
        r"mask_token|encoder_to_decoder\.weight",
        r"decoder\.(?:decoder_layers|norm|head)\..+",
    ),
    arguments={"VideoMAE": {"epsilon": 1e-12, "head_epsilon": 1e-5}},
)

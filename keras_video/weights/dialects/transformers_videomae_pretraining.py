"""VideoMAE's masked autoencoder of Hugging Face's transformers."""

from keras_video.weights.dialects.dialect import Dialect, either
from keras_video.weights.dialects.plain_transformers import fuse_attention
from keras_video.weights.dialects.transformers_videomae import ATTENTION, TRANSFORMERS_VIDEOMAE
from keras_video.weights.dialects.videomae_pretraining import PRETRAINING_ONLY

BLOCK = r"(?:videomae\.encoder\.layer|decoder\.decoder_layers)\.\d+"
DECODER = r"(?:encoder_to_decoder\.|mask_token$|decoder\.)"

TRANSFORMERS_VIDEOMAE_PRETRAINING = Dialect(
    name="transformers_videomae_pretraining",
    pattern=either(
        r"videomae\.embeddings\.patch_embeddings\.projection\.(?:weight|bias)",
        rf"{BLOCK}\.{ATTENTION}",
        rf"{BLOCK}\.(?:attention\.output|intermediate|output)\.dense\.(?:weight|bias)",
        rf"{BLOCK}\.layernorm_(?:before|after)\.(?:weight|bias)",
        r"videomae\.layernorm\.(?:weight|bias)",
        r"encoder_to_decoder\.weight",
        r"mask_token",
        r"decoder\.(?:norm|head)\.(?:weight|bias)",
    ),
    mark=r"encoder_to_decoder\.weight",
    rules=(
        (r"^videomae\.layernorm\.", "norm."),
        (r"^mask_token$", "decoder_tokens.mask_token"),
        (r"^decoder\.decoder_layers\.", "decoder_blocks."),
        *TRANSFORMERS_VIDEOMAE.rules,
    ),
    transforms=(fuse_attention,),
    # Not needed by a classifier of the encoder.
    head=rf"videomae\.layernorm\.|{DECODER}",
    ignored=r"(?:videomae\.embeddings|decoder)\.position_embeddings",
    arguments={"VideoMAE": {"epsilon": 1e-12, "head_epsilon": 1e-5}},
    incomplete=PRETRAINING_ONLY,
)

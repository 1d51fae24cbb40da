"""Masked autoencoders of VideoMAE's and VideoMAE V2's repositories."""

from keras_video.weights.dialects.dialect import Dialect, either

PRETRAINING_ONLY = (
    "The file is from masked pretraining: it has no classifier and no norm before one. Fine-tune "
    "it with keras-video train --weights FILE --row ROW."
)
BLOCK = r"(?:encoder|decoder)\.blocks\.\d+"

VIDEOMAE_PRETRAINING = Dialect(
    name="videomae_pretraining",
    pattern=either(
        r"encoder\.patch_embed\.proj\.(?:weight|bias)",
        rf"{BLOCK}\.(?:norm[12]|mlp\.fc[12]|attn\.proj)\.(?:weight|bias)",
        rf"{BLOCK}\.attn\.(?:qkv\.weight|[qv]_bias)",
        rf"{BLOCK}\.gamma_[12]",
        r"(?:encoder|decoder)\.norm\.(?:weight|bias)",
        r"encoder_to_decoder\.weight",
        r"mask_token",
        r"decoder\.head\.(?:weight|bias)",
    ),
    mark=r"encoder_to_decoder\.weight",
    rules=(
        (r"^encoder\.patch_embed\.proj\.", "patch_embed.projection."),
        (r"^encoder\.", ""),
        (r"^mask_token$", "decoder_tokens.mask_token"),
        (r"^decoder\.blocks\.", "decoder_blocks."),
    ),
    # Not needed by a classifier of the encoder.
    head=r"encoder\.norm\.|encoder_to_decoder\.|mask_token$|decoder\.",
    # The fixed sinusoidal embeddings are computed.
    ignored=r"(?:encoder\.)?pos_embed",
    arguments={"VideoMAE": {"epsilon": 1e-6, "head_epsilon": 1e-6}},
    incomplete=PRETRAINING_ONLY,
)

"""torchvision's S3D."""

from keras_video.weights.dialects.dialect import PARAMETER, Dialect, either

UNIT = rf"[01]\.{PARAMETER}"

TORCHVISION_S3D = Dialect(
    name="torchvision_s3d",
    pattern=either(
        rf"features\.[03]\.[01]\.{UNIT}",
        rf"features\.2\.{UNIT}",
        rf"features\.\d+\.branch(?:0|[12]\.0|[12]\.1\.[01]|3\.1)\.{UNIT}",
        r"classifier\.1\.(?:weight|bias)",
    ),
    rules=(
        (r"^classifier\.1\.", "fc_cls."),
        # A unit is a convolution without a bias and a norm.
        (rf"\.0\.({PARAMETER})$", r".conv.\1"),
        (rf"\.1\.({PARAMETER})$", r".bn.\1"),
    ),
    head=r"classifier\.",
)

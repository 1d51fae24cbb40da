"""Makes MMAction2 0.24.1, the PyTorch original, importable with a current PyTorch.

It runs in a separate environment (Python 3.11):

    python3.11 -m venv peer
    . peer/bin/activate
    pip install torch==2.13.0
    pip install "setuptools<81" wheel numpy scipy addict yapf pyyaml opencv-python-headless
    pip install einops Pillow packaging matplotlib decord librosa
    pip install --no-deps torchvision==0.28.0
    MMCV_WITH_OPS=0 pip install --no-deps --no-build-isolation mmcv==1.7.0
    pip install --no-deps mmaction2==0.24.1
    pip install transformers
    pip install --no-deps pytorchvideo fvcore iopath yacs portalocker tabulate termcolor
    pip install onnx onnxruntime openvino

The last three lines install the other originals of runtimes.py, and the other runtimes. MMAction2
1.2, whose package has the same name, needs another environment, which takes the remaining packages
from the first one:

    python3.11 -m venv peer1
    echo "$PWD/peer/lib/python3.11/site-packages" > peer1/lib/python3.11/site-packages/peer.pth
    peer1/bin/pip install --no-deps mmaction2==1.2.0 mmengine mmcv-lite==2.1.0

MMAction2's own code is unchanged. This module restores NumPy names that were removed, imports a
torchvision whose compiled part does not match the installed PyTorch, and provides the only
compiled operator of mmcv that a recognizer calls (TIN's shift).
"""

import logging
import sys
import types
import warnings

import numpy
import torch


def _restore_numpy_names():
    for plain in (int, float, bool, object):
        if not hasattr(numpy, plain.__name__):
            setattr(numpy, plain.__name__, plain)


def _import_torchvision():
    """Imports torchvision even if operators of its compiled part are missing.

    They are for boxes and region pooling, which no recognizer uses.
    """
    register = torch.library.register_fake

    def register_unless_missing(operator, *args, **kwargs):
        if isinstance(operator, str) and operator.startswith("torchvision::"):
            return lambda function: function
        return register(operator, *args, **kwargs)

    torch.library.register_fake = register_unless_missing
    try:
        import torchvision  # noqa: F401
    finally:
        torch.library.register_fake = register


def shift_frames(data, shift):
    """mmcv's `tin_shift`, which has no CPU build, as a single gather.

    Args:
        data: float tensor (batch, frames, channels, positions).
        shift: integer tensor (batch, groups); group g of a sample's channels moves by
            shift[:, g] frames towards later times, padded with zeros.

    Returns:
        A tensor like `data`.
    """
    batch, frames, channels, positions = data.shape
    groups = shift.shape[1]
    source = torch.arange(frames, device=data.device)[None, :, None] - shift[:, None, :].long()
    inside = ((source >= 0) & (source < frames))[..., None, None]
    grouped = data.reshape(batch, frames, groups, channels // groups, positions)
    index = source.clamp(0, frames - 1)[..., None, None].expand_as(grouped)
    return (grouped.gather(1, index) * inside).reshape(data.shape)


def _provide_operators():
    operators = types.ModuleType("mmcv.ops")
    operators.tin_shift = shift_frames
    sys.modules["mmcv.ops"] = operators


def fill_gaps():
    """Makes mmcv and mmaction importable; call it before importing either."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.INFO)
    _restore_numpy_names()
    _import_torchvision()
    _provide_operators()


def fill_gaps_of_1():
    """Makes mmaction 1.2 importable, whose wheel lacks a module that it imports, a localizer.

    Its video-text networks, which need other versions of transformers, stay unavailable.
    """
    fill_gaps()
    for name in ("mmaction.models.localizers.drn", "mmaction.models.localizers.drn.drn"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].DRN = None
    versions = types.ModuleType("importlib_metadata")
    versions.PackageNotFoundError = ImportError

    def distribution(name):
        raise ImportError(name)

    versions.distribution = distribution
    sys.modules["importlib_metadata"] = versions

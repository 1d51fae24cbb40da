# Made by .ci/write_stubs.py.
# ruff: noqa: I001
from .bodies import ProbeBody as ProbeBody
from .cache import FeatureCache as FeatureCache
from .extraction import VideoFeatures as VideoFeatures
from .extraction import extract_features as extract_features
from .heads import HEADS as HEADS
from .heads import fit_head as fit_head
from .probing import ProbeResult as ProbeResult
from .probing import probe as probe
from .reports import ProbeReport as ProbeReport
from .reports import Suspect as Suspect
from .selection import STRATEGIES as STRATEGIES
from .selection import rank_unlabeled as rank_unlabeled
from .validation import cross_validate as cross_validate
from .windows import extract_window_features as extract_window_features

__all__ = [
    "FeatureCache",
    "HEADS",
    "ProbeBody",
    "ProbeReport",
    "ProbeResult",
    "STRATEGIES",
    "Suspect",
    "VideoFeatures",
    "cross_validate",
    "extract_features",
    "extract_window_features",
    "fit_head",
    "probe",
    "rank_unlabeled",
]

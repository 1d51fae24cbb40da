"""Probes: small classifiers on features of frozen networks, for small labeled datasets."""

import importlib

_HOMES = {
    "FeatureCache": "cache",
    "HEADS": "heads",
    "ProbeBody": "bodies",
    "ProbeReport": "reports",
    "ProbeResult": "probing",
    "STRATEGIES": "selection",
    "Suspect": "reports",
    "VideoFeatures": "extraction",
    "cross_validate": "validation",
    "extract_features": "extraction",
    "extract_window_features": "windows",
    "fit_head": "heads",
    "probe": "probing",
    "rank_unlabeled": "selection",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return list(__all__)

"""Worker: MMAction2 0.24.1's video pipeline (decord, OpenCV) in a PyTorch DataLoader.

Runs in the environment that peer_environment.py describes; loading.py starts it.
"""

import loading_worker
import peer_environment
import torch
import worker

MEAN_AND_STD = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
SHORT_SIDE = {"type": "Resize", "scale": (-1, 256)}
SQUARE = {"type": "Resize", "scale": (224, 224), "keep_ratio": False}
FLIP = {"type": "Flip", "flip_ratio": 0.5}
MULTI_SCALE = {
    "type": "MultiScaleCrop",
    "input_size": 224,
    "scales": (1, 0.875, 0.75, 0.66),
    "random_crop": False,
    "max_wh_scale_gap": 1,
}

CASES = {
    "sparse": (
        {"clip_len": 1, "frame_interval": 1, "num_clips": 8},
        (SHORT_SIDE, MULTI_SCALE, SQUARE, FLIP),
        "NCHW",
    ),
    "dense": (
        {"clip_len": 32, "frame_interval": 2, "num_clips": 1},
        (SHORT_SIDE, {"type": "RandomResizedCrop"}, SQUARE, FLIP),
        "NCTHW",
    ),
    "views": (
        {"clip_len": 8, "frame_interval": 8, "num_clips": 10, "test_mode": True},
        (SHORT_SIDE, {"type": "ThreeCrop", "crop_size": 256}),
        "NCTHW",
    ),
}


class Clips(torch.utils.data.Dataset):
    """The clips of a list, each through the pipeline of a case."""

    def __init__(self, entries, case):
        from mmaction.datasets.pipelines import Compose

        sampling, steps, layout = CASES[case]
        self._entries = entries
        self._pipeline = Compose(
            [
                {"type": "DecordInit"},
                {"type": "SampleFrames", **sampling},
                {"type": "DecordDecode"},
                *steps,
                {"type": "Normalize", **MEAN_AND_STD, "to_bgr": False},
                {"type": "FormatShape", "input_format": layout},
                {"type": "Collect", "keys": ["imgs", "label"], "meta_keys": []},
                {"type": "ToTensor", "keys": ["imgs", "label"]},
            ]
        )

    def __len__(self):
        return len(self._entries)

    def __getitem__(self, position):
        path, label = self._entries[position]
        start = {"filename": path, "label": label, "start_index": 0, "modality": "RGB"}
        return self._pipeline(start)


def prepare(args):
    """Starts the loader's processes; returns `(run, facts)`."""
    import cv2
    import decord

    peer_environment.fill_gaps()
    # As MMAction2's own tools set both up: every worker process computes in one thread.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    workers = args.calls if args.calls > 1 else 0
    loader = torch.utils.data.DataLoader(
        Clips(loading_worker.entries(args.list), args.case),
        batch_size=args.batch_size,
        num_workers=workers,
        persistent_workers=workers > 0,
    )

    def run():
        return [tuple(batch["imgs"].shape) for batch in loader]

    facts = loading_worker.facts_of(run())
    return run, facts | {"decord": decord.__version__, "opencv": cv2.__version__}


if __name__ == "__main__":
    worker.serve(lambda: prepare(loading_worker.arguments()))

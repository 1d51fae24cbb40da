"""Processing of long lists in shards that are written atomically, locally or on a Ray cluster."""

from keras_video.sharded.engines import Event, Job, LocalEngine, WorkerDiedError, processors
from keras_video.sharded.folders import open_folder
from keras_video.sharded.manifest import MANIFEST, Manifest, file_problem, read_manifest
from keras_video.sharded.ray_engine import RayEngine
from keras_video.sharded.remote import fetched, fetched_in_parts, is_remote
from keras_video.sharded.running import Shard, ShardSummary, run_shards, split_into_shards

__all__ = [
    "MANIFEST",
    "Event",
    "Job",
    "LocalEngine",
    "Manifest",
    "RayEngine",
    "Shard",
    "ShardSummary",
    "WorkerDiedError",
    "fetched",
    "file_problem",
    "fetched_in_parts",
    "is_remote",
    "open_folder",
    "processors",
    "read_manifest",
    "run_shards",
    "split_into_shards",
]

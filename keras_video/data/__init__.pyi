# Made by .ci/write_stubs.py.
# ruff: noqa: I001
from .annotations.formats import frame_lines as frame_lines
from .annotations.formats import offset_lines as offset_lines
from .annotations.formats import part_lines as part_lines
from .annotations.formats import video_lines as video_lines
from .annotations.parsing import AnnotationError as AnnotationError
from .annotations.parsing import Record as Record
from .annotations.parsing import check_files as check_files
from .annotations.parsing import read_annotations as read_annotations
from .annotations.parsing import read_class_names as read_class_names
from .annotations.tables import CsvTable as CsvTable
from .annotations.tables import HVU_CATEGORIES as HVU_CATEGORIES
from .annotations.tables import TaggedJson as TaggedJson
from .annotations.tables import json_records as json_records
from .audio.audiovisual import AudioVisual as AudioVisual
from .audio.decoding import NoSound as NoSound
from .audio.decoding import audio_of_frames as audio_of_frames
from .audio.decoding import read_audio as read_audio
from .audio.sources import AudioFeatures as AudioFeatures
from .audio.sources import Sounds as Sounds
from .audio.spectrogram import AddChannel as AddChannel
from .audio.spectrogram import Amplify as Amplify
from .audio.spectrogram import LogMelFeatures as LogMelFeatures
from .audio.spectrogram import MelSpectrogram as MelSpectrogram
from .audio.spectrogram import NormalizeLoudness as NormalizeLoudness
from .audio.spectrogram import audio_features as audio_features
from .audio.spectrogram import log_mel_features as log_mel_features
from .audio.spectrogram import mel_spectrogram as mel_spectrogram
from .audio.tracks import video_sound as video_sound
from .decoding.camera import LatestFrames as LatestFrames
from .decoding.camera import LiveFrame as LiveFrame
from .decoding.camera import check_live_source as check_live_source
from .decoding.camera import live_frames as live_frames
from .decoding.sequential import frame_rate as frame_rate
from .decoding.sequential import frames_in_order as frames_in_order
from .decoding.video_writer import VideoWriter as VideoWriter
from .decoding.videos import DecodeError as DecodeError
from .decoding.videos import Video as Video
from .decoding.videos import open_video as open_video
from .embedded.long_videos import LongVideos as LongVideos
from .embedded.long_videos import embedded_long_videos as embedded_long_videos
from .embedded.long_videos import make_long_videos as make_long_videos
from .embedded.moving_shapes import MovingShapes as MovingShapes
from .embedded.moving_shapes import embedded_dataset as embedded_dataset
from .embedded.moving_shapes import make_moving_shapes as make_moving_shapes
from .embedded.sounding_shapes import embedded_sounding_shapes as embedded_sounding_shapes
from .embedded.sounding_shapes import make_sounding_shapes as make_sounding_shapes
from .pipelines.audio import audio_dataset as audio_dataset
from .pipelines.audiovisual import audiovisual_dataset as audiovisual_dataset
from .pipelines.batch_mixing import CutMix as CutMix
from .pipelines.batch_mixing import MixUp as MixUp
from .pipelines.batch_mixing import MixUpOrCutMix as MixUpOrCutMix
from .pipelines.batch_mixing import mixed_dataset as mixed_dataset
from .pipelines.class_folders import ClassFolders as ClassFolders
from .pipelines.clips import dataset_from_records as dataset_from_records
from .pipelines.clips import video_dataset as video_dataset
from .pipelines.directory import video_dataset_from_directory as video_dataset_from_directory
from .pipelines.directory import video_files as video_files
from .pipelines.epoch import EpochCounter as EpochCounter
from .pipelines.masks import RunningCellMask as RunningCellMask
from .pipelines.masks import TubeMask as TubeMask
from .pipelines.masks import masked_dataset as masked_dataset
from .pipelines.mixing import ClassBalanced as ClassBalanced
from .pipelines.mixing import MixSource as MixSource
from .pipelines.mixing import cross_mixed_dataset as cross_mixed_dataset
from .pipelines.mixing import joint_dataset as joint_dataset
from .pipelines.mixing import repeated as repeated
from .pipelines.report import DecodeReport as DecodeReport
from .pipelines.service import serve_dispatcher as serve_dispatcher
from .pipelines.service import serve_worker as serve_worker
from .pipelines.service import served_dataset as served_dataset
from .pipelines.short_cycle import short_cycle_dataset as short_cycle_dataset
from .pipelines.tfrecords import tfrecord_dataset as tfrecord_dataset
from .pipelines.unlabeled import unlabeled_records as unlabeled_records
from .prepare.shard_worker import Resized as Resized
from .prepare.shards import pack_records as pack_records
from .prepare.verify_shards import DamagedShard as DamagedShard
from .prepare.verify_shards import verify_shards as verify_shards
from .rows.audio import row_audio_source as row_audio_source
from .rows.audio import row_audio_transforms as row_audio_transforms
from .rows.datasets import protocol_dataset as protocol_dataset
from .rows.datasets import row_dataset as row_dataset
from .rows.presets import row_batch_mixing as row_batch_mixing
from .rows.presets import row_sampling as row_sampling
from .rows.presets import row_transforms as row_transforms
from .rows.sources import joint_sources as joint_sources
from .rows.sources import row_annotation_format as row_annotation_format
from .rows.sources import row_source as row_source
from .sampling import DenseSampleFrames as DenseSampleFrames
from .sampling import SampleFrames as SampleFrames
from .sampling import UntrimmedSampleFrames as UntrimmedSampleFrames
from .sources.raw_frames import FlowFrames as FlowFrames
from .sources.raw_frames import RawFrames as RawFrames
from .sources.videos import Images as Images
from .sources.videos import VideoParts as VideoParts
from .sources.videos import Videos as Videos
from .spans.clips import SpanClip as SpanClip
from .spans.clips import span_clips as span_clips
from .spans.reading import read_spans as read_spans
from .spans.records import Span as Span
from .spans.records import SpanRecord as SpanRecord
from .spans.writing import write_spans as write_spans
from .transforms.aug_mix import AugMix as AugMix
from .transforms.basic import Flip as Flip
from .transforms.basic import Normalize as Normalize
from .transforms.basic import RandomRescale as RandomRescale
from .transforms.basic import Resize as Resize
from .transforms.basic import apply_label_transforms as apply_label_transforms
from .transforms.basic import apply_transforms as apply_transforms
from .transforms.color import ColorJitter as ColorJitter
from .transforms.color import PixelDropout as PixelDropout
from .transforms.crops import CenterCrop as CenterCrop
from .transforms.crops import MultiScaleCrop as MultiScaleCrop
from .transforms.crops import RandomCrop as RandomCrop
from .transforms.crops import RandomResizedCrop as RandomResizedCrop
from .transforms.crops import TenCrop as TenCrop
from .transforms.crops import ThreeCrop as ThreeCrop
from .transforms.erasing import RandomErasing as RandomErasing
from .transforms.image_layers import ImageLayer as ImageLayer
from .transforms.rand_augment import RandAugment as RandAugment
from .transforms.warp import Rotate as Rotate

__all__ = [
    "AddChannel",
    "Amplify",
    "AnnotationError",
    "AudioFeatures",
    "AudioVisual",
    "AugMix",
    "CenterCrop",
    "ClassBalanced",
    "ClassFolders",
    "ColorJitter",
    "CsvTable",
    "CutMix",
    "DamagedShard",
    "DecodeError",
    "DecodeReport",
    "DenseSampleFrames",
    "EpochCounter",
    "Flip",
    "FlowFrames",
    "HVU_CATEGORIES",
    "ImageLayer",
    "Images",
    "LatestFrames",
    "LiveFrame",
    "LogMelFeatures",
    "LongVideos",
    "MelSpectrogram",
    "MixSource",
    "MixUp",
    "MixUpOrCutMix",
    "MovingShapes",
    "MultiScaleCrop",
    "NoSound",
    "Normalize",
    "NormalizeLoudness",
    "PixelDropout",
    "RandAugment",
    "RandomCrop",
    "RandomErasing",
    "RandomRescale",
    "RandomResizedCrop",
    "RawFrames",
    "Record",
    "Resize",
    "Resized",
    "Rotate",
    "RunningCellMask",
    "SampleFrames",
    "Sounds",
    "Span",
    "SpanClip",
    "SpanRecord",
    "TaggedJson",
    "TenCrop",
    "ThreeCrop",
    "TubeMask",
    "UntrimmedSampleFrames",
    "Video",
    "VideoParts",
    "VideoWriter",
    "Videos",
    "apply_label_transforms",
    "apply_transforms",
    "audio_dataset",
    "audio_features",
    "audio_of_frames",
    "audiovisual_dataset",
    "check_files",
    "check_live_source",
    "cross_mixed_dataset",
    "dataset_from_records",
    "embedded_dataset",
    "embedded_long_videos",
    "embedded_sounding_shapes",
    "frame_lines",
    "frame_rate",
    "frames_in_order",
    "joint_dataset",
    "joint_sources",
    "json_records",
    "live_frames",
    "log_mel_features",
    "make_long_videos",
    "make_moving_shapes",
    "make_sounding_shapes",
    "masked_dataset",
    "mel_spectrogram",
    "mixed_dataset",
    "offset_lines",
    "open_video",
    "pack_records",
    "part_lines",
    "protocol_dataset",
    "read_annotations",
    "read_audio",
    "read_class_names",
    "read_spans",
    "repeated",
    "row_annotation_format",
    "row_audio_source",
    "row_audio_transforms",
    "row_batch_mixing",
    "row_dataset",
    "row_sampling",
    "row_source",
    "row_transforms",
    "serve_dispatcher",
    "serve_worker",
    "served_dataset",
    "short_cycle_dataset",
    "span_clips",
    "tfrecord_dataset",
    "unlabeled_records",
    "verify_shards",
    "video_dataset",
    "video_dataset_from_directory",
    "video_files",
    "video_lines",
    "video_sound",
    "write_spans",
]

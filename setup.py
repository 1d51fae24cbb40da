from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="keras-video",
    version="0.1.0",
    description="Action-recognition models for Keras 3: weights, data, recipes.",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["keras_video", "keras_video.*"]),
    package_data={"keras_video.zoo": ["rows/*.json", "label_maps/*.txt"]},
    python_requires=">=3.11",
    install_requires=[
        "keras>=3.12",
        "tensorflow>=2.16",
        "numpy>=1.26",
        "h5py>=3.11",
        "absl-py>=2.0",
        "av>=14",
    ],
    extras_require={
        # The binary operations of tensorflow-io load with no later TensorFlow.
        "tfio": ["tensorflow>=2.16,<2.18", "tensorflow-io==0.37.1"],
        # KerasCV imports tensorflow-datasets. Later metadata needs a protobuf that TensorFlow 2.17
        # forbids, and does not say so.
        "keras_cv": ["keras-cv==0.9.0", "tensorflow-metadata<1.18"],
        "opencv": ["opencv-python-headless>=4.10"],
        "tensorboard": ["tensorboard>=2.16"],
        # onnx 1.19.0 does not say that it needs an ml-dtypes which TensorFlow 2.17 forbids; tf2onnx
        # before 1.17 wants a protobuf older than any TensorFlow allowed here takes.
        "onnx": ["onnx>=1.17,!=1.19.0", "tf2onnx>=1.17", "onnxruntime>=1.18"],
        # Pillow came to draw its own font in any size with 10.1.
        "plots": ["matplotlib>=3.9", "pillow>=10.1"],
        "docs": ["pdoc>=16"],
        "safetensors": ["safetensors>=0.4"],
        "backends": ["jax>=0.4.30", "torch>=2.4"],
        "cuda": ["tensorflow[and-cuda]>=2.16"],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.5",
            "ruff",
            "matplotlib>=3.9",
            "pillow>=10.1",
            "setuptools>=68",
        ],
    },
)

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="keras-video",
    version="0.1.0",
    description="Action-recognition models for Keras 3: constructors, published weights, data, recipes.",
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
        "tfio": ["tensorflow>=2.16,<2.18", "tensorflow-io==0.37.1"],
        "keras_cv": ["keras-cv==0.9.0"],
        "opencv": ["opencv-python-headless>=4.8"],
        "tensorboard": ["tensorboard"],
        "onnx": ["onnx", "tf2onnx", "onnxruntime"],
        "plots": ["matplotlib>=3.8"],
        "backends": ["jax>=0.4.30", "torch>=2.4"],
        "cuda": ["tensorflow[and-cuda]"],
        "test": ["pytest>=8", "pytest-xdist>=3.5", "ruff", "matplotlib>=3.8"],
    },
)

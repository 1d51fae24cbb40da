from setuptools import setup

setup()  # everything is stated in pyproject.toml

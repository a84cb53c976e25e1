"""For tools that need this file; everything is in pyproject.toml."""

from setuptools import setup

setup()

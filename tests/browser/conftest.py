"""A browser and a JupyterLab for all tests of this folder that run in one process."""

from lab import chromium, lab

__all__ = ["chromium", "lab"]

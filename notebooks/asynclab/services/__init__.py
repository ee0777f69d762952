"""Real servers on 127.0.0.1, in one child process: an HTTP API, a website and a mail server."""

from .deaf import nobody_accepts
from .process import Services, ServicesError

__all__ = ["Services", "ServicesError", "nobody_accepts"]

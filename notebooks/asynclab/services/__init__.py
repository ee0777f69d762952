"""Real servers on 127.0.0.1, in one child process: an HTTP API, a website and a mail server.

`services.postgresql` runs a database server, in a process beside it.
"""

from .process import Services, ServicesError
from .unreachable import nobody_accepts

__all__ = ["Services", "ServicesError", "nobody_accepts"]

"""JupyterHub for a class on one machine: these settings are rehearsed with 30 students by `make classroom`.

Copy what follows the line into your hub's own configuration: jupyterhub_config.py, or a file in
/opt/tljh/config/jupyterhub_config.d/ of The Littlest JupyterHub. Who may log in, and how, is for you to add.
"""

from pathlib import Path
from typing import Any

c: Any = get_config()  # noqa: F821 (JupyterHub defines it)
# ------------------------------------------------------------------------------------------------------------

# The folder in each home that holds the guide: nbgitpuller makes it, with the name of the repository.
GUIDE = "asyncio-guide"


def home(spawner: Any) -> Path:
    """Return a student's home folder. On The Littlest JupyterHub: Path(f"/home/jupyter-{spawner.user.name}")."""
    return Path(spawner.user_env({})["HOME"])


# Kernels talk over files in the student's own folder instead of TCP ports. A port is chosen first and taken later:
# when 30 kernels start on one machine, two may choose the same.
c.Spawner.args = ["--KernelManager.transport=ipc"]
c.Spawner.environment = {
    # Those files. Linux allows their names 107 characters, of which Jupyter's own part takes 50. The usual folder,
    # ~/.local/share/jupyter/runtime, leaves too few for a long name.
    "JUPYTER_RUNTIME_DIR": lambda spawner: str(home(spawner) / ".run"),
    # The guide's own settings of JupyterLab: no question about news over the lesson.
    "JUPYTER_CONFIG_PATH": lambda spawner: str(home(spawner) / GUIDE / ".jupyter"),
}
c.Spawner.default_url = f"/lab/tree/{GUIDE}/notebooks/00_start_here.ipynb"

# At the start of a lesson all arrive at once. Four servers start at a time, each of them quickly. The other students
# read "Too many users trying to log in right now. Try again in 10 seconds", and have to: so tell them before.
c.JupyterHub.concurrent_spawn_limit = 4
c.JupyterHub.spawn_throttle_retry_range = (5, 15)  # seconds; what the page says is rounded up to tens
# A busy machine needs longer than the usual 60 and 30 seconds.
c.Spawner.start_timeout = 180
c.Spawner.http_timeout = 180

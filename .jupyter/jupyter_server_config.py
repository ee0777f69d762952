"""How Jupyter serves the guide: `make lab` and Binder read this folder.

JupyterLab writes the version of Python into each notebook that it opens. A notebook that nobody has touched
would count as changed, and saving it would differ from one Python to the next. So notebooks are handed out with
this version in them, and are saved without it.
"""

from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

VERSION = IPythonKernel.language_info["version"]


class VersionlessNotebooks(AsyncLargeFileManager):
    """Files as ever, and notebooks that do not keep the version of Python."""

    async def get(self, path: str, content: bool = True, **options: Any) -> dict[str, Any]:
        """Return the file at `path`; a notebook that names its language names this Python too."""
        model = await super().get(path, content, **options)
        if content and model["type"] == "notebook" and "language_info" in model["content"]["metadata"]:
            model["content"]["metadata"]["language_info"]["version"] = VERSION
        return model

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Write the file at `path`, a notebook without the version of Python."""
        if model.get("type") == "notebook" and "content" in model:
            model["content"]["metadata"].get("language_info", {}).pop("version", None)
        return await super().save(model, path)


c = get_config()  # noqa: F821 (Jupyter defines it)
c.ServerApp.contents_manager_class = VersionlessNotebooks

"""The configuration for teachers, and what only a rehearsal needs: loopback, free ports, nobody's real account."""

import json
import os
from typing import Any

c: Any = get_config()  # noqa: F821 (JupyterHub defines it)
load_subconfig("hub_config.py", os.path.dirname(__file__))  # noqa: F821

rehearsal = json.loads(os.environ["REHEARSAL"])  # see hub.py

c.JupyterHub.bind_url = rehearsal["url"]
c.JupyterHub.hub_bind_url = rehearsal["hub_url"]
c.ConfigurableHTTPProxy.api_url = rehearsal["proxy_url"]
c.ConfigurableHTTPProxy.command = rehearsal["proxy"]
c.JupyterHub.db_url = f"sqlite:///{rehearsal['folder']}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{rehearsal['folder']}/secret"
c.JupyterHub.log_level = "INFO"

c.JupyterHub.authenticator_class = "dummy"  # nobody logs in: each student gets a token through the REST API
c.JupyterHub.spawner_class = "simple"  # every server as the user who rehearses, in a folder for each student
c.SimpleLocalProcessSpawner.home_dir_template = f"{rehearsal['folder']}/{{username}}"
c.Spawner.cmd = rehearsal["server"]
if os.geteuid() == 0:
    c.Spawner.args.append("--allow-root")

c.JupyterHub.services = [{"name": "rehearsal", "api_token": rehearsal["token"]}]
c.JupyterHub.load_roles = [{"name": "rehearsal", "scopes": ["admin:users", "tokens"], "services": ["rehearsal"]}]

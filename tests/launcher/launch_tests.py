"""Run pytest in an environment of its own, `.venv-test`, made from the `test` group.

`uv run pytest` looks for a command named `pytest` in the project's environment. This is that command. It lives in
a package of its own so that serving installs no test library, and a wheel of Carepath carries no `pytest` command.
"""

import os
import sys


def main() -> None:
    """Replace this process by pytest, arguments and exit status included."""
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment.setdefault("UV_PROJECT_ENVIRONMENT", ".venv-test")
    uv = environment.get("UV", "uv")
    command = [uv, "run", "--quiet", "--no-default-groups", "--group", "test", "python", "-m", "pytest", *sys.argv[1:]]
    os.execvpe(uv, command, environment)

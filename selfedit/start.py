"""How a Python process of ours is started: with the repository last on its path, and with no secret in its environment.

Otherwise a `json.py` that lies about in the repository's root would be taken for the standard library's, and every process
of the same user could read the secrets where the system shows the environment that a process began with.
Imports next to nothing: the launcher uses it.
"""

import json
import os
import sys
from collections.abc import Mapping, MutableMapping

KEYS = ("GITHUB_TOKEN", "GITHUB_APP_KEY")
"""What the steward alone has: the keys to the forge."""
_PLACE = "THESEUS_FORGE_FD"

_PROGRAM = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "import runpy; runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def python(root: object, module: str, *arguments: str) -> list[str]:
    """The command that runs a module of the repository at `root`, as `python -m` would in that folder."""
    return [sys.executable, "-P", "-c", _PROGRAM, str(root), module, *arguments]


def nameless(values: Mapping[str, str]) -> int:
    """Write values into a file without a name, as JSON; its descriptor, which a process that is started inherits."""
    try:
        descriptor = os.memfd_create("theseus")
    except (AttributeError, OSError):
        import tempfile  # where there are no files in memory, one on disk that was unlinked at once

        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.write(descriptor, json.dumps(dict(values)).encode())
    os.set_inheritable(descriptor, True)
    return descriptor


def with_keys_apart(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment to start the steward with, in which its keys are not; it finds them with `take_keys`."""
    keys = {name: environ[name] for name in KEYS if environ.get(name)}
    rest = {name: value for name, value in environ.items() if name not in KEYS}
    return {**rest, _PLACE: str(nameless(keys))} if keys else rest


def take_keys(environ: MutableMapping[str, str]) -> None:
    """Bring keys that were kept apart back into this process's own environment, and leave them nowhere else.

    Raises:
        ValueError: What was handed over cannot be read.
    """
    if not (place := environ.pop(_PLACE, "")):
        return
    try:
        descriptor = int(place)
        keys = json.loads(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
        os.close(descriptor)
        environ.update({name: str(keys[name]) for name in KEYS if name in keys})
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(f"the keys that the launcher handed over cannot be read: {error}") from error

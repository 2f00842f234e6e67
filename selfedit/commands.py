"""Git as a program, in the repository here; what goes to a forge is pushed from there.

No hook, filter, replace object or setting of the surroundings has a say, and nothing waits for an answer at a terminal.
"""

import tempfile
from collections.abc import Mapping, Sequence

import git

IDENTITY = ("Theseus", "theseus@localhost")
_ISOLATED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_AUTHOR_NAME": IDENTITY[0],
    "GIT_AUTHOR_EMAIL": IDENTITY[1],
    "GIT_COMMITTER_NAME": IDENTITY[0],
    "GIT_COMMITTER_EMAIL": IDENTITY[1],
    "LC_ALL": "C",
}
_QUIET = (
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.attributesFile=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=false",
    "-c",
    "gc.auto=0",
)


class GitFailed(Exception):
    """Git could not do something that it should be able to. Its text shows what git said."""


class Commands:
    """Runs git's commands in one repository."""

    def __init__(self, runs: git.Git) -> None:
        """Run them by GitPython's runner for that repository."""
        self._git = runs

    def run(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        settings: Sequence[str] = (),
        tolerate: int = 0,
    ) -> bytes:
        """What a git command says; an exit code other than 0 and `tolerate` is a failure.

        Raises:
            GitFailed: It failed.
        """
        code, out, err = self.call(*args, stdin=stdin, env=env, settings=settings)
        if code not in (0, tolerate):
            raise GitFailed(said(args[0], code, err))
        return out

    def attempt(self, *args: str) -> bytes | None:
        """What a git command says; None where it ends with 1, which is git's no.

        Raises:
            GitFailed: It ended with more than that.
        """
        code, out, err = self.call(*args)
        if code > 1:
            raise GitFailed(said(args[0], code, err))
        return None if code else out

    def call(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        settings: Sequence[str] = (),
    ) -> tuple[int, bytes, bytes]:
        """Run a git command, isolated from the surroundings: its exit code, stdout and stderr."""
        with tempfile.TemporaryFile() as given:
            given.write(stdin or b"")
            given.seek(0)
            code, out, err = self._git.execute(
                ["git", *_QUIET, *settings, *args],
                istream=given,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                env={**_ISOLATED, **(env or {})},
            )
        return code, _bytes(out), _bytes(err)


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def said(command: str, code: int, err: bytes) -> str:
    """What git said of a failure, as one sentence."""
    lines = err.decode(errors="replace").strip().splitlines()
    return f"git {command} ended with {code}: {lines[0] if lines else 'it said nothing'}"

"""Commit signatures: git's own SSH signing, with a key that only the steward holds."""

import shutil
import subprocess
from pathlib import Path

from selfedit.repo import IDENTITY, Repo


class SigningProblem(Exception):
    """Commits cannot be signed. Its text says what to install."""


class Signer:
    """Makes and holds the signing key of one home.

    Attributes:
        settings: The git settings under which `commit-tree -S` signs with it.
    """

    def __init__(self, home: Path) -> None:
        """Open the key, making it on first use.

        Raises:
            SigningProblem: There is no ssh-keygen.
        """
        if shutil.which("ssh-keygen") is None:
            raise SigningProblem(
                "commits cannot be signed without ssh-keygen; install it: apt-get install openssh-client"
            )
        keys = home / "keys"
        keys.mkdir(mode=0o700, exist_ok=True)
        self._key = keys / "signing_ed25519"
        self._allowed = keys / "allowed_signers"
        if not self._key.exists():
            fresh = keys / "fresh"
            for leftover in keys.glob("fresh*"):
                leftover.unlink()  # a start that was cut short while it made the key
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", IDENTITY[1], "-f", str(fresh)],
                check=True,
                capture_output=True,
                stdin=subprocess.DEVNULL,
            )
            fresh.with_suffix(".pub").replace(self._key.with_suffix(".pub"))
            fresh.replace(self._key)
        public = self._key.with_suffix(".pub").read_text().strip()
        self._allowed.write_text(f'{IDENTITY[1]} namespaces="git" {public}\n')
        self.settings = (
            "-c",
            "gpg.format=ssh",
            "-c",
            "gpg.ssh.program=ssh-keygen",
            "-c",
            f"user.signingkey={self._key}",
        )

    def signed(self, repo: Repo, commit: str) -> bool:
        """Whether this key made the commit's signature."""
        return repo.verify_commit(commit, self._allowed)

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

    def __init__(self, home: Path, *, make: bool) -> None:
        """Open the key.

        Args:
            home: The state folder.
            make: Whether a key that is not there may be made: only before anything was signed.

        Raises:
            SigningProblem: There is no ssh-keygen, or no key that can be used.
        """
        if shutil.which("ssh-keygen") is None:
            raise SigningProblem(
                "commits cannot be signed without ssh-keygen; install it: apt-get install openssh-client"
            )
        keys = home / "keys"
        self._key = keys / "signing_ed25519"
        self._allowed = keys / "allowed_signers"
        try:
            keys.mkdir(mode=0o700, exist_ok=True)
            if not self._key.exists():
                if not make:
                    raise SigningProblem(
                        f"the signing key {self._key} is gone, and what was merged so far is signed with it; put it "
                        "back from a backup, or start over with another THESEUS_HOME (what is on the branch stays)"
                    )
                self._make(keys)
            # The private key alone is the truth; a public half that is missing or another's is of no account.
            public = _keygen("-y", "-P", "", "-f", str(self._key)).split()[:2]
            line = " ".join([*public, IDENTITY[1]])
            self._key.with_suffix(".pub").write_text(f"{line}\n")
            self._allowed.write_text(f'{IDENTITY[1]} namespaces="git" {line}\n')
        except OSError as error:
            raise SigningProblem(f"the keys in {keys} cannot be used: {error.strerror or error}") from error
        self.settings = (
            "-c",
            "gpg.format=ssh",
            "-c",
            "gpg.ssh.program=ssh-keygen",
            "-c",
            f"user.signingkey={self._key}",
        )

    def _make(self, keys: Path) -> None:
        fresh = keys / "fresh"
        for leftover in keys.glob("fresh*"):
            leftover.unlink()  # a start that was cut short while it made the key
        _keygen("-q", "-t", "ed25519", "-N", "", "-C", IDENTITY[1], "-f", str(fresh))
        fresh.with_suffix(".pub").replace(self._key.with_suffix(".pub"))
        fresh.replace(self._key)

    def signed(self, repo: Repo, commit: str) -> bool:
        """Whether this key made the commit's signature."""
        return repo.verify_commit(commit, self._allowed)


def _keygen(*arguments: str) -> str:
    done = subprocess.run(
        ["ssh-keygen", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise SigningProblem(
            f"the signing key {arguments[-1]} cannot be used: {said[-1] if said else 'ssh-keygen said nothing'}; "
            "put it back from a backup"
        )
    return done.stdout

"""Commit signatures: git's own SSH signing, with a key that only the steward holds."""

import shutil
import subprocess
from pathlib import Path

from selfedit.commands import IDENTITY
from selfedit.repo import Repo

BESIDE = "refs/theseus/vouched/"
"""Below this stands, by the name of a commit that others made, the one with which the steward vouches for it."""


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
        """Whether this key vouches for a commit: by its signature, or by one beside it."""
        return repo.verify_commit(commit, self._allowed) or not self.doubts(repo, commit)

    def beside(self, repo: Repo, commit: str) -> str | None:
        """The commit that stands beside another to vouch for it; None where there is none."""
        return repo.resolve(f"{BESIDE}{commit}")

    def doubts(self, repo: Repo, commit: str) -> str:
        """Why what stands beside a commit does not vouch for it, as half a sentence; empty when it does."""
        voucher = self.beside(repo, commit)
        if voucher is None:
            return "nothing beside it vouches for it"
        if repo.parents(voucher) != (commit,):
            return "what stands beside it has another parent"
        if repo.tree_of(voucher) != repo.tree_of(commit):
            return "what stands beside it has another tree"
        return "" if repo.verify_commit(voucher, self._allowed) else "what stands beside it is not signed"

    def vouch(self, repo: Repo, commit: str, message: str) -> str:
        """Vouch for a commit that others made, beside it; the commit that does so. May be done again."""
        voucher = repo.commit(repo.tree_of(commit), [commit], message, self.settings)
        repo.set_ref(f"{BESIDE}{commit}", voucher)
        return voucher


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

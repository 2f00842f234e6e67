"""Which repository on which GitHub, and as whom: read from the environment, and taken out of it."""

import ipaddress
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

PUBLIC_API = "https://api.github.com"
CREDENTIALS = ("GITHUB_TOKEN", "GITHUB_APP_ID", "GITHUB_APP_KEY", "GITHUB_INSTALLATION_ID")
"""By what it is told as whom the steward acts; no other process is given any of it."""
_OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?"
_REPOSITORY = re.compile(rf"({_OWNER})/(?!\.{{1,2}}$)([A-Za-z0-9._-]{{1,100}})")
_TOKEN = re.compile(r"[\x21-\x7e]{8,1024}")
_LONGEST_KEY = 64 * 1024


class SettingsProblem(Exception):
    """A setting for GitHub cannot be used. Its text is one sentence that says what to do, without any secret."""


class Secret:
    """Something that only goes where it is asked for by name: no text, message or log shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written down")


@dataclass(frozen=True, slots=True)
class Token:
    """A personal access token, or one that somebody else keeps fresh."""

    secret: Secret


@dataclass(frozen=True, slots=True)
class App:
    """A GitHub App, as it is installed on the repository."""

    id: str
    key: Secret
    """Its private key, as PEM."""
    installation: str


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """Where the repository is, and as whom the steward acts there.

    Attributes:
        owner, name: The repository.
        api: Base address of the REST interface, without a slash at its end.
        web: Base address of the pages and of git.
        graphql: Address of the GraphQL interface.
        credential: As whom.
        proxy: Through what requests go; None: directly.
        authorities: A file of certificates to trust in place of the system's; empty: those.
    """

    owner: str
    name: str
    api: str
    web: str
    graphql: str
    credential: Token | App
    proxy: Secret | None = field(default=None)
    authorities: str = ""

    @property
    def repository(self) -> str:
        """The repository as `owner/name`."""
        return f"{self.owner}/{self.name}"

    @property
    def host(self) -> str:
        """The host, as people know it."""
        return urlsplit(self.web).netloc

    @property
    def git(self) -> str:
        """Where git finds the repository."""
        return f"{self.web}/{self.repository}.git"


def take_credentials(environ: MutableMapping[str, str]) -> GitHubSettings | None:
    """Read the settings, and take the secrets among them out of an environment: no process started later has them.

    Args:
        environ: `os.environ`, before anything else is started.

    Returns:
        None where no repository is named or nothing to act with is given: then `main` lives here.

    Raises:
        SettingsProblem: Something is given and cannot be used.
    """
    taken = {name: value for name in CREDENTIALS if (value := environ.pop(name, ""))}
    return read_settings({**environ, **taken})


def read_settings(given: Mapping[str, str]) -> GitHubSettings | None:
    """The settings in a mapping such as an environment; see `take_credentials`."""
    repository = given.get("GITHUB_REPOSITORY", "").strip()
    credential = _credential(given) if repository else None
    if credential is None:
        return None
    found = _REPOSITORY.fullmatch(repository)
    if found is None or found[2].endswith(".git"):
        raise SettingsProblem(
            f"GITHUB_REPOSITORY is {repository[:100]!r}; set it to owner/name, as in octo-org/theseus"
        )
    api, web, graphql = _addresses(given.get("GITHUB_API_URL", "").strip() or PUBLIC_API)
    return GitHubSettings(
        owner=found[1],
        name=found[2],
        api=api,
        web=web,
        graphql=graphql,
        credential=credential,
        proxy=_proxy(given, api),
        authorities=given.get("SSL_CERT_FILE", ""),
    )


def left_out(given: Mapping[str, str]) -> str:
    """What is missing where only a part of the settings is given, so that `main` stays here; empty where nothing is. Pure."""
    credential = any(given.get(name, "").strip() for name in CREDENTIALS)
    repository = bool(given.get("GITHUB_REPOSITORY", "").strip())
    if repository == credential:
        return ""
    missing = "GITHUB_REPOSITORY" if credential else "GITHUB_TOKEN, or what a GitHub App needs,"
    return f"none, and main lives here: {missing} is not set (docs/github.md)"


def _credential(given: Mapping[str, str]) -> Token | App | None:
    token = given.get("GITHUB_TOKEN", "").strip()
    app, key, installation = (
        given.get(name, "").strip() for name in ("GITHUB_APP_ID", "GITHUB_APP_KEY", "GITHUB_INSTALLATION_ID")
    )
    parts = {"GITHUB_APP_ID": app, "GITHUB_APP_KEY": key, "GITHUB_INSTALLATION_ID": installation}
    if token and any(parts.values()):
        raise SettingsProblem(
            "GITHUB_TOKEN and the settings of a GitHub App are both given; keep those as which Theseus is to act"
        )
    if token:
        if not _TOKEN.fullmatch(token):
            raise SettingsProblem(
                "GITHUB_TOKEN is not a token: it has blanks, other signs, or too few; copy it again"
            )
        return Token(Secret(token))
    if not any(parts.values()):
        return None
    if missing := [name for name, value in parts.items() if not value]:
        raise SettingsProblem(
            f"a GitHub App needs GITHUB_APP_ID, GITHUB_APP_KEY and GITHUB_INSTALLATION_ID; {' and '.join(missing)} "
            "is not set"
        )
    if not re.fullmatch(r"[A-Za-z0-9._]{1,64}", app):
        raise SettingsProblem("GITHUB_APP_ID is not the number or client id that the App's page shows")
    if not re.fullmatch(r"[0-9]{1,20}", installation):
        raise SettingsProblem(
            "GITHUB_INSTALLATION_ID is not a number; it stands at the end of the address of the App's "
            "installation page"
        )
    return App(app, Secret(_key(key)), installation)


def _key(given: str) -> str:
    """The App's key as PEM: given as such (in one line too, as some stores keep it), or as a path."""
    text = given.replace("\\n", "\n") if "-----BEGIN" in given else _key_file(given)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        sound = isinstance(load_pem_private_key(text.encode(), None), RSAPrivateKey)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        sound = False
    if not sound:
        raise SettingsProblem(
            "GITHUB_APP_KEY is no RSA private key without a password; give the .pem file that GitHub made for the "
            "App, as its text or its path"
        )
    return text


def _key_file(given: str) -> str:
    why = ""
    try:
        path = Path(given).expanduser()
        text = path.read_text("ascii") if path.stat().st_size <= _LONGEST_KEY else ""
    except (OSError, RuntimeError, ValueError) as error:
        why = (error.strerror or "it cannot be read") if isinstance(error, OSError) else "it cannot be read"
        text = ""
    if why:  # what was given is not repeated: it may be a key whose first line was lost
        raise SettingsProblem(
            f"GITHUB_APP_KEY is neither the text of a .pem file nor the path of one ({why})"
        )
    return text


def _addresses(api: str) -> tuple[str, str, str]:
    """The addresses of the REST interface, of pages and git, and of GraphQL, from the first of them."""
    wrong = SettingsProblem(
        "GITHUB_API_URL cannot be used; leave it out for github.com, or set it to https://HOST/api/v3"
    )
    try:
        parts = urlsplit(api)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise wrong from None
    path = parts.path.rstrip("/")
    if not host or parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise wrong
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise SettingsProblem(
            "GITHUB_API_URL has to begin with https://, so that nobody on the way reads along"
        )
    if not re.fullmatch(r"[a-z0-9.-]+|[0-9a-f:]+", host):
        raise wrong
    shown = f"[{host}]" if ":" in host else host
    base = f"{parts.scheme}://{shown}{f':{port}' if port is not None else ''}"
    if host in {"github.com", "api.github.com"}:
        if path or port is not None or host == "github.com":
            raise wrong
        return PUBLIC_API, "https://github.com", f"{PUBLIC_API}/graphql"
    if host.startswith("api.") and host.endswith(".ghe.com") and not path and port is None:
        # Enterprise Cloud with data residency: https://api.NAME.ghe.com beside https://NAME.ghe.com
        return base, f"https://{host.removeprefix('api.')}", f"{base}/graphql"
    if path != "/api/v3":
        raise wrong
    return f"{base}/api/v3", base, f"{base}/api/graphql"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine for certain, whatever a name service says."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxy(given: Mapping[str, str], api: str) -> Secret | None:
    """Through what an https address is reached, as the usual variables say; this machine is reached directly."""
    parts = urlsplit(api)
    host = parts.hostname or ""
    address = given.get("https_proxy") or given.get("HTTPS_PROXY") or ""
    spared = [
        name.strip().lstrip(".") for name in (given.get("no_proxy") or given.get("NO_PROXY") or "").split(",")
    ]
    direct = any(name and (name == "*" or f".{host}".endswith(f".{name}")) for name in spared)
    if parts.scheme != "https" or not address or direct:
        return None
    try:
        scheme = urlsplit(address).scheme
    except ValueError:
        scheme = ""
    if scheme != "http":
        raise SettingsProblem("HTTPS_PROXY cannot be used for GitHub; set it to http://HOST:PORT")
    return Secret(address)

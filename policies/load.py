"""Reads the rules: every number and list of the policies, once, frozen, with a hash of what was read."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

HERE = Path(__file__).parent


class RulesProblem(Exception):
    """The rules cannot be read. Its text names the file and the first fault."""


Positive = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RepoRules(_Section):
    """Which branch is live."""

    branch: str


class ZoneRules(_Section):
    """Folders, with a `/` at the end: what may change by itself, and where its tests are."""

    live: tuple[str, ...]
    tests: tuple[str, ...]


class ChangeRules(_Section):
    """How large a proposal may be, from where on it takes a second look, and what it may write."""

    review_lines: Positive
    review_files: Positive
    max_lines: Positive
    max_files: int
    max_file_bytes: int
    max_line_chars: int
    extensions: tuple[str, ...]


class ImportRules(_Section):
    """Modules, each with all below it: not for live code, for it without a word, worth a look, harmless at load."""

    forbidden: tuple[str, ...]
    plain: tuple[str, ...]
    review: tuple[str, ...]
    quiet: tuple[str, ...]


class GateRules(_Section):
    """Which checks run, on what, and with how much. Seconds and MiB."""

    checks: tuple[str, ...]
    tests: tuple[str, ...]
    tests_of_people: tuple[str, ...]
    quick_tests: tuple[str, ...]
    pytest_plugins: tuple[str, ...]
    test_processes: int
    static_seconds: float
    test_seconds: float
    trial_seconds: float
    wait_seconds: float
    memory_mb: int
    processes: int


class ChangeTestRules(_Section):
    """How the tests of a change are tried: seconds, faults planted at most, and how much untested code weighs."""

    seconds: float
    mutants: int
    untested: Literal["note", "review", "refuse"]


class SandboxRules(_Section):
    """Whether anything less than an engine will do, and which of its runtimes (as gVisor's `runsc`) is to be used."""

    require_docker: bool
    runtime: str


class AuthorRules(_Section):
    """What one request may cost a model author: rounds, steps, tokens, US dollars."""

    rounds: int
    steps: int
    max_tokens: int
    max_dollars: float


class Quota(_Section):
    """What may be spent in a day: tokens, US dollars."""

    tokens: int
    dollars: float


class RoleRules(_Section):
    """People who are paid for in their own way: who they are, a day's budget for each, and for all of them together."""

    members: tuple[str, ...]
    each: Quota | None = None
    together: Quota | None = None


class LimitRules(_Section):
    """What chat may cost: how often somebody may ask, and each day's budgets by who it is and where."""

    asks_a_minute: Positive
    cheap_from: float
    everyone: Quota
    trusted: Quota
    maintainer: Quota
    place: Quota
    community: Quota
    all: Quota
    roles: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9 _-]{0,31}$")], RoleRules]


Level = Literal["everyone", "trusted", "maintainer"]
"""How far somebody is trusted; each may what those before it may."""
Lent = Literal["web", "runner", "data", "files", "vision", "agents"]
"""What tools can be lent; a name that is none of these protects nothing, so it is refused."""


class ToolRules(_Section):
    """Who may use tools, and what one turn of chat may do with them. Seconds, tokens, US dollars, characters."""

    enabled: bool
    first_users: tuple[str, ...]
    trusted: tuple[str, ...]
    least: dict[Lent, Level]
    places: dict[str, tuple[str, ...]]
    rounds: int
    agent_rounds: int
    depth: int
    repeats: int
    calls: int
    turn_seconds: float
    turn_tokens: int
    turn_dollars: float
    result_chars: int
    calls_a_day: int
    each_a_day: dict[str, int]
    made_by_one: int
    footer: Literal["always", "tools", "never"]


class AttachmentRules(_Section):
    """What may come along with a message. Files, bytes, pixels, characters."""

    most: int
    text_bytes: int
    picture_bytes: int
    picture_pixels: int
    text_chars: int
    kept_bytes: int


class AnswerRules(_Section):
    """What an answer may not hold when it goes out, and whether a model for moderation reads it first."""

    quoted_words: int
    moderation: bool


Place = Annotated[str, Field(pattern=r"^[^\s/@]+:[0-9]{1,5}$")]


class WebRules(_Section):
    """What may be fetched from the net and searched in it. Seconds and bytes."""

    allowed_hosts: tuple[str, ...]
    blocked_hosts: tuple[str, ...]
    exempt: tuple[Place, ...]
    exempt_writes: tuple[Place, ...]
    user_agent: str
    kinds: tuple[str, ...]
    page_bytes: int
    text_chars: int
    seconds: float
    redirects: int
    robots: bool
    cache_pages: int
    cache_seconds: float
    longest_cache_seconds: float
    engines: tuple[str, ...]
    search_seconds: float
    api_calls_a_minute: Positive
    api_bytes: int


class ServiceRules(_Section):
    """What tools may read, run and fill. Seconds, MiB and bytes; folders and files relative to the state folder."""

    process_memory_mb: Annotated[int, Field(ge=512)]
    run_seconds: float
    run_memory_mb: int
    run_output_bytes: int
    databases: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,31}$")], str]
    query_seconds: float
    query_rows: int
    folder: str


class ApprovalRules(_Section):
    """Whose approval counts."""

    console_self_approval: bool
    maintainers: tuple[str, ...]


class RightsRules(_Section):
    """Who may do what without a grant of the owner; see `policies.rights`."""

    chat: tuple[str, ...]
    see: tuple[str, ...]
    propose: tuple[str, ...]
    approve: tuple[str, ...]
    halt: tuple[str, ...]
    setup: tuple[str, ...]


class GitHubRules(_Section):
    """How what happens on GitHub counts."""

    approvals: Literal["either", "both"]
    poll_seconds: Annotated[float, Field(gt=0)]
    revisions: Annotated[int, Field(ge=0)]
    same_people: tuple[tuple[str, ...], ...]


class WatchRules(_Section):
    """When a new generation is worse. Seconds, milliseconds, shares of 1."""

    window_seconds: float
    heartbeat_seconds: float
    silence_seconds: float
    start_seconds: float
    load_seconds: float
    lag_ms: float
    error_rate: float
    errors: int
    latency_factor: float
    latency_floor_ms: float
    latency_requests: int


class RestartRules(_Section):
    """How a bot that ends is started again."""

    first_delay_seconds: float
    longest_delay_seconds: float
    attempts: int
    steady_seconds: float


class FreezeRules(_Section):
    """When a change is not tried again."""

    reverts: int


class Rules(_Section):
    """All rules, as read from `rules.toml` and, where given, a second file laid over it."""

    repo: RepoRules
    zones: ZoneRules
    change: ChangeRules
    imports: ImportRules
    gate: GateRules
    change_tests: ChangeTestRules
    sandbox: SandboxRules
    author: AuthorRules
    limits: LimitRules
    tools: ToolRules
    attachments: AttachmentRules
    answers: AnswerRules
    web: WebRules
    services: ServiceRules
    approval: ApprovalRules
    github: GitHubRules
    rights: RightsRules
    watch: WatchRules
    restart: RestartRules
    freeze: FreezeRules
    policy: str
    """Hash over the rules and the policies' own source: two verdicts with the same hash were judged alike."""


def load_rules(over: Path | None = None) -> Rules:
    """Read the rules.

    Args:
        over: A TOML file of the same shape that names only what differs.

    Raises:
        RulesProblem: A file is missing, is not TOML, or holds a wrong key or value.
    """
    seen = hashlib.sha256()
    for source in sorted(HERE.glob("*.py")):
        seen.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    values: dict[str, Any] = {}
    for path in [HERE / "rules.toml", *([over] if over else [])]:
        try:
            raw = path.read_bytes()
            read = tomllib.loads(raw.decode())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise RulesProblem(f"{path}: {error}") from error
        seen.update(raw + b"\0")
        values = _laid_over(values, read)
    try:
        return Rules(**values, policy=seen.hexdigest())
    except (ValidationError, TypeError) as error:
        raise RulesProblem(f"{over or HERE / 'rules.toml'}: {_first(error)}") from error


def _laid_over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = dict(under)
    for key, value in over.items():
        deeper = isinstance(value, dict) and isinstance(both.get(key), dict)
        both[key] = _laid_over(both[key], value) if deeper else value
    return both


def _first(error: ValidationError | TypeError) -> str:
    if isinstance(error, TypeError):
        return str(error)
    fault = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"

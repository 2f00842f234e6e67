"""Which address may be fetched: a judgement of the text that somebody gave, and one of the place that it leads to.

Both are needed. A text can look harmless and lead to a neighbour of this machine; a number can be spelled in a dozen
ways that only a resolver understands. So the text has to be an ordinary web address in its plainest spelling, and
whoever connects asks `review_place` about the very address and port of the socket, whatever the name said before.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import idna

from policies.decision import Decision
from policies.load import WebRules

MOST_CHARS = 2048
"""Of a whole address; what is longer carries data out rather than naming a page."""
PORTS = {"http": 80, "https": 443}

_SHAPE = re.compile(r"(https?)://([^/?#]*)([/?#].*)?", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::([0-9]{1,5}))?")
_NAME = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NOT_PUBLIC = re.compile(
    r"(?:.*\.)?(?:localhost|localdomain|local|internal|intranet|private|corp|home|lan|home\.arpa|in-addr\.arpa|ip6\.arpa"
    r"|test|invalid|onion|alt)"
)
_OUR_SIDE_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # behind a carrier's translation; some clouds keep their metadata there
        "168.63.129.16/32",  # public by its number, a service for the machine itself at one cloud
        "192.0.0.0/24",
        "192.88.99.0/24",  # where 6to4 was relayed
        "198.18.0.0/15",
        "224.0.0.0/3",
    )
)
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
"""All that is handed out for the public net; mapped, compatible, translated and local addresses lie outside."""
_OUR_SIDE_6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocols, Teredo among them, which carry another address inside
        "2001:db8::/32",
        "2002::/16",  # 6to4: the same
        "3fff::/20",
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be asked for, in its plainest spelling: ASCII only, without a fragment."""

    url: str
    scheme: str
    host: str
    """Small letters; an IPv6 address without its brackets."""
    port: int

    @property
    def origin(self) -> str:
        """Scheme, host and port: what one robots.txt speaks for."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def rules_for(method: str, rules: WebRules) -> WebRules:
    """The rules as they hold for a call: what may change something goes only where that is allowed as well.

    Args:
        method: As HTTP names it; all but GET may change something.
        rules: As they are.
    """
    if method == "GET" or not rules.exempt:
        return rules
    both = tuple(place for place in rules.exempt if place in rules.exempt_writes)
    return rules.model_copy(update={"exempt": both})


def read_url(text: str, rules: WebRules) -> Target | Decision:
    """Judge the text of a web address.

    Args:
        text: As a person, a model or a redirect gave it.
        rules: Hosts that are allowed or not, and places that are exempt.

    Returns:
        What may be asked for, or the refusal.
    """
    shape = _SHAPE.fullmatch(text)
    if len(text) > MOST_CHARS:
        return _no(f"the address is longer than {MOST_CHARS} characters; give a shorter one")
    if shape is None or any(char in text for char in "\\ ") or not text.isprintable():
        return _no("only whole addresses that begin with http:// or https:// can be fetched")
    if "@" in shape[2] or "%" in shape[2]:
        return _no("an address with a user name or an escape before its first / is not fetched; leave it out")
    place = _HOST_AND_PORT.fullmatch(shape[2])
    if place is None:
        return _no("the address names no host that can be understood")
    scheme = shape[1].lower()
    host, port = _plain(place[1]), int(place[2] or PORTS[scheme])
    if host is None:
        return _no(f"{place[1]} is not the name of a host on the public net")
    parts = urlsplit(f"{scheme}://host{shape[3] or '/'}")
    path, query = _ascii(parts.path or "/"), _ascii(parts.query)
    shown = f"[{host}]" if ":" in host else host
    if port != PORTS[scheme]:
        shown = f"{shown}:{port}"
    refusal = _review_host(host, port, scheme, rules)
    if refusal is not None:
        return refusal
    return Target(url=urlunsplit((scheme, shown, path, query, "")), scheme=scheme, host=host, port=port)


def review_place(address: str, port: int, rules: WebRules) -> Decision:
    """Judge the numeric address and the port that a connection is about to be made to."""
    shown = f"[{address}]" if ":" in address else address
    if f"{shown}:{port}" in rules.exempt:
        return Decision()
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return _no(f"{address} is not an address")
    if not _is_public(found):
        return _no(f"{address} does not lie on the public net, so nothing is fetched from there")
    if port not in PORTS.values():
        return _no(f"port {port} is not a web port; only 80 and 443 are")
    return Decision()


def _review_host(host: str, port: int, scheme: str, rules: WebRules) -> Decision | None:
    if any(_within(host, name) for name in rules.blocked_hosts):
        return _no(f"the rules of this bot do not allow {host}; use another source")
    if rules.allowed_hosts and not any(_within(host, name) for name in rules.allowed_hosts):
        return _no(f"the rules of this bot allow only {', '.join(rules.allowed_hosts)}; use one of these")
    literal = ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2])
    if literal:
        place = review_place(host, port, rules)
        return None if place.allowed else place
    if not any(int(exempt.rpartition(":")[2]) == port for exempt in rules.exempt) and port != PORTS[scheme]:
        return _no(f"port {port} is not the one of {scheme}; leave it out")
    return None


def _within(host: str, name: str) -> bool:
    return host == name or host.endswith(f".{name}")


def _plain(host: str) -> str | None:
    """A host in its one plain spelling; None for a name of the own network, and for a number in disguise."""
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            return None
    if not host.isascii():
        try:
            name = idna.encode(host.lower(), strict=True).decode()  # strict: only a dot is a dot
        except UnicodeError:
            return None
        return name if _is_name(name) else None
    host = host.lower()
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            return None
    return host if _is_name(host) else None


def _is_name(host: str) -> bool:
    return _NAME.fullmatch(host) is not None and _NOT_PUBLIC.fullmatch(host) is None


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # `is_global` alone lets multicast, translated and retired ranges through.
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _OUR_SIDE_4)
    return (
        address in _PUBLIC_6
        and address.scope_id is None
        and not any(address in network for network in _OUR_SIDE_6)
    )


def _ascii(text: str) -> str:
    """What is not ASCII, escaped as browsers do; what is escaped already stays."""
    return "".join(
        char if char.isascii() else "".join(f"%{byte:02X}" for byte in char.encode()) for char in text
    )


def _no(message: str) -> Decision:
    return Decision.no("address", message)

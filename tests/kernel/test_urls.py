"""No spelling of an address of this machine's surroundings is let through, and ordinary pages are."""

import ipaddress
import itertools
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.decision import Decision
from policies.load import WebRules, load_rules
from policies.urls import Target, read_url, review_place
from tests.fakes.addresses import mutated_urls, refused_urls

RULES = load_rules().web
CHARACTERS = (
    "".join(map(chr, range(128)))
    + "\xe4\xdf\xad\u0661\u200b\u200d\u202e\u2460\u24db\u3002\uff0e\uff11\uff20\U0001f600"
)


def ruled(**changed: object) -> WebRules:
    return WebRules(**{**RULES.model_dump(), **changed})


@pytest.mark.parametrize("url", refused_urls(), ids=itertools.count())
def test_what_is_no_page_of_the_public_net_is_refused(url: str) -> None:
    """Each known trick is refused, with a sentence."""
    judged = read_url(url, RULES)
    assert isinstance(judged, Decision)
    assert judged.why


@settings(max_examples=200)
@given(mutated_urls())
def test_no_mutation_gets_through(url: str) -> None:
    """An address of the surroundings is refused in whatever way it is spelled and dressed up."""
    assert isinstance(read_url(url, RULES), Decision)


def test_a_refusal_says_what_to_leave_out() -> None:
    """A name before the host, and an address that is too long, are refused for what they are."""
    for url, said in [
        ("https://ann@example.org/", "user name"),
        (f"https://example.org/{'a' * 2048}", "longer than 2048"),
    ]:
        judged = read_url(url, RULES)
        assert isinstance(judged, Decision)
        assert said in judged.why


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://example.org", "https://example.org/"),
        ("HTTPS://Example.ORG:443/a?b=c#d", "https://example.org/a?b=c"),
        ("http://example.org:80//a//b", "http://example.org//a//b"),
        ("https://bücher.example/ä?q=ö", "https://xn--bcher-kva.example/%C3%A4?q=%C3%B6"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://1.1.1.1/", "https://1.1.1.1/"),
        ("https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]/"),
        (
            "https://en.wikipedia.org/wiki/C%2B%2B?action=raw",
            "https://en.wikipedia.org/wiki/C%2B%2B?action=raw",
        ),
        ("https://docs.python.org/3/library/re.html#re.match", "https://docs.python.org/3/library/re.html"),
        ("https://a.co/@user/x", "https://a.co/@user/x"),
        ("https://3com.com?x", "https://3com.com/?x"),
    ],
)
def test_ordinary_pages_are_allowed(url: str, plain: str) -> None:
    """An ordinary address comes out in its plainest spelling."""
    judged = read_url(url, RULES)
    assert isinstance(judged, Target)
    assert judged.url == plain


@given(st.text(CHARACTERS, max_size=60), st.sampled_from(["", "http://", "https://", "https://example.org/"]))
def test_what_is_allowed_means_the_same_to_every_reader(text: str, start: str) -> None:
    """Whatever is allowed is plain ASCII of which other readers take the very same host and port, and it stays allowed."""
    judged = read_url(start + text, RULES)
    if isinstance(judged, Target):
        parts = urlsplit(judged.url)
        assert judged.url.isascii()
        assert (parts.hostname, parts.port or judged.port) == (judged.host, judged.port)
        assert parts.username is None
        assert read_url(judged.url, RULES) == judged


@given(st.ip_addresses(v=4))
def test_no_local_address_of_four_numbers_is_a_place_to_go(address: ipaddress.IPv4Address) -> None:
    """Whatever the library calls private, shared or for many is refused at the socket as well."""
    judged = review_place(str(address), 443, RULES)
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert not judged.allowed


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "100.64.0.1",
            "192.88.99.1",
            "224.0.0.1",
            "168.63.129.16",
            "0.1.2.3",
        ),
        *(
            "::1",
            "::",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "2002:808:808::",
            "2001::1",
        ),
        *(
            "fe80::1",
            "fe80::1%1",
            "fec0::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "2606:4700::1%2",
            "no",
        ),
    ],
)
def test_places_that_are_not_public_are_refused(address: str) -> None:
    """The address of a socket is judged by itself, whatever name led to it."""
    assert not review_place(address, 80, RULES).allowed


def test_public_places_are_allowed_on_web_ports_alone() -> None:
    """Two ports are the web's."""
    assert review_place("93.184.215.14", 443, RULES).allowed
    assert review_place("2606:4700:4700::1111", 80, RULES).allowed
    assert not review_place("93.184.215.14", 25, RULES).allowed


def test_an_exempt_place_is_that_one_alone() -> None:
    """An exemption is for one address and one port, and for no other."""
    rules = ruled(exempt=("127.0.0.1:8080", "[::1]:8080"))
    assert isinstance(read_url("http://127.0.0.1:8080/x", rules), Target)
    assert isinstance(read_url("http://[::1]:8080/x", rules), Target)
    for url in (
        "http://127.0.0.1/",
        "http://127.0.0.1:8081/",
        "http://127.0.0.2:8080/",
        "http://127.1:8080/",
    ):
        assert isinstance(read_url(url, rules), Decision)
    assert not review_place("127.0.0.2", 8080, rules).allowed


def test_hosts_can_be_listed() -> None:
    """A blocked host is refused with all below it; where some are allowed, all others are refused."""
    rules = ruled(blocked_hosts=("bad.org",), allowed_hosts=("org",))
    assert isinstance(read_url("https://good.org/", rules), Target)
    assert isinstance(read_url("https://notbad.org/", rules), Target)
    for url in ("https://bad.org/", "https://very.bad.org/", "https://example.com/", "https://8.8.8.8/"):
        assert isinstance(read_url(url, rules), Decision)

"""Addresses by which somebody may try to reach this machine, its neighbours, or something that is no web page."""

from collections.abc import Callable

from hypothesis import strategies as st

NUMBERS = ["127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "172.17.0.1", "0.0.0.0", "100.64.0.1"]  # noqa: S104 - to be refused
HOSTS = [
    *NUMBERS,
    *(
        "2852039166",
        "0xA9FEA9FE",
        "0xa9.0xfe.0xa9.0xfe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "169.16689662",
    ),
    *(
        "\u2460\u2465\u2468.254.169.254",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "2130706433",
        "0",
        "0x0",
        "127.0.0.01",
    ),
    *(
        "127\u30020\u30020\u30021",
        "127\uff0e0\uff0e0\uff0e1",
        "\uff11\uff12\uff17.0.0.1",
        "\u24dbocalhost",
        "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
    ),
    *(
        "127.0.0.1.",
        "127.0.0.1..",
        "0x7f.1.",
        "metadata",
        "metadata.google.internal",
        "router.lan",
        "printer.local",
    ),
    *(
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::169.254.169.254]",
    ),
    *(
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "[2002:7f00:1::1]",
        "[2001:0:7f00:1::]",
    ),
    *(
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fe80::1%eth0]",
        "[fe80::1%25eth0]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001:db8::1]",
    ),
    *(
        "224.0.0.1",
        "192.88.99.1",
        "255.255.255.255",
        "240.0.0.1",
        "198.18.0.1",
        "192.0.0.192",
        "168.63.129.16",
        "192.0.2.1",
    ),
    *(
        "[::ffff:169.254.169.254]",
        "[::ffff:0:127.0.0.1]",
        "[v1.a]",
        "[127.0.0.1]",
        "[]",
        "",
        ".",
        "..",
        "%31%32%37.0.0.1",
    ),
    *(
        "127.0.0.1%00.example.org",
        "127.0.0.1%2f",
        "x" * 64 + ".org",
        "-a.org",
        "a..org",
        "exa mple.org",
        "example.org\u202e",
    ),
    *(
        "example\u200b.org",
        "127.0.0.1\u00ad",
        "\uff11.\uff11",
        "example.org:80:80",
        "example.org:",
        "example.org:0x50",
        "example.org:99999",
    ),
    *(
        "example.org:22",
        "example.org:8080",
        "example.org:6379",
        "example.org:0",
        "8.8.8.8:53",
        "example.org:443",
    ),
]
"""After `http://`."""

WHOLE = [
    *(
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "ftp://example.org/",
        "gopher://127.0.0.1:6379/_INFO",
        "dict://127.0.0.1/",
    ),
    *(
        "javascript:alert(1)",
        "data:text/html,hello",
        "unix:///var/run/docker.sock",
        "//127.0.0.1/",
        "//example.org/",
        "/etc/passwd",
    ),
    *(
        "http:/127.0.0.1/",
        "http:127.0.0.1",
        "http:///127.0.0.1/",
        "http:\\\\127.0.0.1\\",
        "https:example.org",
        "",
        " ",
        "example.org",
    ),
    *(
        "http://example.org\\@127.0.0.1/",
        "http://example.org@127.0.0.1/",
        "http://a:b@example.org/",
        "http://a@127.0.0.1:80@b/",
    ),
    *(
        "http://127.0.0.1#@example.org/",
        "http://127.0.0.1?@example.org/",
        "http://127.0.0.1\\.example.org/",
        "http://[::1]example.org/",
    ),
    *(
        " http://127.0.0.1/",
        "http://127.0.0.1/ ",
        "http://exam\nple.org/",
        "ht\ttp://127.0.0.1/",
        "http://example.org/\x00",
        "HTTP://127.0.0.1/",
    ),
    *(
        "http://example.org/a b",
        "view-source:http://127.0.0.1/",
        "blob:http://127.0.0.1/x",
        "jar:http://127.0.0.1/!/",
        "ws://127.0.0.1/",
    ),
    "http://example.org/" + "a" * 2048,
]


def refused_urls() -> list[str]:
    """All of them, whole."""
    return [*WHOLE, *(f"http://{host}/" for host in HOSTS)]


_CIRCLED = str.maketrans("123456789", "\u2460\u2461\u2462\u2463\u2464\u2465\u2466\u2467\u2468")
_WIDE = str.maketrans("0123456789", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19")


@st.composite
def mutated_urls(draw: st.DrawFn) -> str:
    """An address of this machine's surroundings in some spelling, with something around it."""
    octets = [int(part) for part in draw(st.sampled_from(NUMBERS)).split(".")]
    spellings: list[Callable[[int], str]] = [
        str,
        hex,
        lambda octet: f"0{octet:o}",
        lambda octet: f"0X{octet:04X}",
        lambda octet: f"{octet:03d}",
    ]
    spell = st.sampled_from(spellings)
    kept = draw(st.integers(0, 3))
    last = 0
    for octet in octets[kept:]:
        last = last * 256 + octet
    spelled = [*octets[:kept], last]
    plain = ".".join(str(part) for part in octets)
    number = int.from_bytes(bytes(octets), "big")
    high, low = number >> 16, number & 0xFFFF
    host = draw(
        st.sampled_from(
            [
                ".".join(draw(spell)(part) for part in spelled),
                plain.translate(_CIRCLED) if any(digit in plain for digit in "123456789") else "localhost",
                plain.translate(_WIDE),
                plain.replace(".", draw(st.sampled_from("\u3002\uff0e\uff61"))),
                "".join(f"%{ord(char):02x}" for char in plain),
                f"[::ffff:{plain}]",
                f"[::{plain}]" if number > 1 else "[::1]",
                f"[64:ff9b::{high:x}:{low:x}]",
                f"[2002:{high:x}:{low:x}::]",
                f"[2001:0:{high:x}:{low:x}::]",
                f"[fe80::{high:x}:{low:x}]",
            ]
        )
    )
    before = draw(
        st.sampled_from(["", "example.org@", "a:b@", "example.org\\@", "example.org%40", "\t", "\u200b"])
    )
    after = draw(
        st.sampled_from(["", ".", ":80", ":443", ":22", "\\.example.org", "%00.example.org", "\u3000"])
    )
    scheme = draw(st.sampled_from(["http", "https", "HTTP", "hTTps", "file", "ftp", "gopher"]))
    end = draw(st.sampled_from(["", "/", "/latest/meta-data/", "?x=http://example.org", "#@example.org"]))
    return f"{scheme}://{before}{host}{after}{end}"

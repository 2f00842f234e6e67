"""What credentials look like: one list, for what may not be committed and for what may not be kept or sent away."""

import re
from collections.abc import Sequence

_HERE = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
"""Where a key may begin: behind anything but a letter or a digit, in another script at once, or behind a break that is
spelled out."""
CREDENTIALS = tuple(
    (what, re.compile(pattern, re.ASCII))
    for what, pattern in (
        ("a GitHub token", _HERE + r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})"),
        ("a Discord token", _HERE + r"[MNO][\w-]{22,27}\.[\w-]{6}\.[\w-]{25,}"),
        ("a Discord webhook", r"discord(?:app)?\.com/api/webhooks/\d{15,}/[\w-]{30,}"),
        ("an Anthropic key", _HERE + r"sk-ant-[a-z0-9]+-[\w-]{20,}"),
        ("an OpenAI key", _HERE + r"sk-(?:(?:proj|svcacct|admin)-[\w-]{30,}|[A-Za-z0-9]{32,})"),
        ("an OpenRouter key", _HERE + r"sk-or-(?:v\d-)?[A-Za-z0-9]{32,}"),
        ("a Stripe key", _HERE + r"[prs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
        ("a Google key", _HERE + r"AIza[\w-]{35,}"),
        ("an AWS key", _HERE + r"(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
        ("a Slack token", _HERE + r"xox[abeoprs]-[\w-]{20,}"),
        ("a Hugging Face token", _HERE + r"hf_[A-Za-z0-9]{30,}"),
        ("a GitLab token", _HERE + r"glpat-[\w-]{20,}"),
        ("a Groq key", _HERE + r"gsk_[A-Za-z0-9]{40,}"),
        ("an xAI key", _HERE + r"xai-[A-Za-z0-9]{60,}"),
        ("a SendGrid key", _HERE + r"SG\.[\w-]{20,}\.[\w-]{40,}"),
        ("a Replicate token", _HERE + r"r8_[A-Za-z0-9]{36,}"),
        ("a Perplexity key", _HERE + r"pplx-[A-Za-z0-9]{40,}"),
        ("a Google client secret", _HERE + r"GOCSPX-[\w-]{24,}"),
        ("an age key", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
        ("a Vault token", _HERE + r"hvs\.[\w-]{60,}"),
        ("a DigitalOcean token", _HERE + r"do[opr]_v1_[a-f0-9]{60,}"),
        ("an npm token", _HERE + r"npm_[A-Za-z0-9]{36,}"),
        ("a PyPI token", _HERE + r"pypi-AgEIcHlwaS5vcmc[\w-]{50,}"),
        ("a signed token", _HERE + r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}"),
        ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----))*"),
    )
)
"""Each with what people call it. A prefix alone is none: ordinary words and addresses begin like that as well."""
_MAYBE = re.compile(r"[\w.-]{16}|-----BEGIN")
"""What every one of them holds somewhere; most texts hold nothing of the kind."""


def without_credentials(text: str, instead: str, own: Sequence[str] = ()) -> str:
    """A text with another in place of everything that looks like a credential, and of those that are known."""
    return taken_out(text, instead, own)[0]


def taken_out(text: str, instead: str, own: Sequence[str]) -> tuple[str, Sequence[str]]:
    """A text without credentials, and which kinds of them there were.

    Args:
        text: Anything.
        instead: What stands in their place.
        own: Keys that are known, whatever they look like.
    """
    found = []
    for secret in own:
        if secret in text:
            found.append("a key of this bot")
            text = text.replace(secret, instead)
    if _MAYBE.search(text) is None:
        return text, found
    for what, pattern in CREDENTIALS:
        without = pattern.sub(instead, text)
        if without != text:
            found.append(what)
            text = without
    return text, found

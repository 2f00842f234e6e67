"""What credentials look like: one list, for what may not be committed and for what may not be kept or sent away."""

import re

CREDENTIALS = (
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})")),
    ("a Discord token", re.compile(r"\b[MNO][\w-]{22,27}\.[\w-]{6}\.[\w-]{25,}")),
    ("a Discord webhook", re.compile(r"discord(?:app)?\.com/api/webhooks/\d{15,}/[\w-]{30,}")),
    ("an Anthropic key", re.compile(r"\bsk-ant-[a-z0-9]+-[\w-]{20,}")),
    ("an OpenAI key", re.compile(r"\bsk-(?:(?:proj|svcacct|admin)-[\w-]{30,}|[A-Za-z0-9]{32,})")),
    ("an OpenRouter key", re.compile(r"\bsk-or-(?:v\d-)?[A-Za-z0-9]{32,}")),
    ("a Stripe key", re.compile(r"\b[prs]k_(?:live|test)_[A-Za-z0-9]{16,}")),
    ("a Google key", re.compile(r"\bAIza[\w-]{35,}")),
    ("an AWS key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a Slack token", re.compile(r"\bxox[abeoprs]-[\w-]{20,}")),
    ("a signed token", re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[^-]*")),
)
"""Each with what people call it. A prefix alone is none: ordinary words and addresses begin like that as well."""


def without_credentials(text: str, instead: str) -> str:
    """A text with another in place of everything that looks like a credential."""
    for _, pattern in CREDENTIALS:
        text = pattern.sub(instead, text)
    return text

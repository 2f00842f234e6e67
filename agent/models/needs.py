"""What a question needs of a model, read off its words: a guess by signs, so that the right kind of model is asked.

English alone; where no sign is found nothing is needed in particular, and the settings' first model is asked.
"""

import re

from agent.types import Needs

LONG_CHARS = 6_000
"""A question of so many characters is taken for a hard one."""
_OPTIONS = re.IGNORECASE
_CODE = re.compile(
    r"```|^[ \t]{0,40}(?:def |class |import |from \w+ import |#include|public static|function \w+\(|SELECT .+ FROM )"
    r"|Traceback \(most recent call last\)|\bstack ?trace\b|\b\w+Error:|\bexception in\b"
    r"|\b(?:python|javascript|typescript|golang|sql|bash|regex(?:p|es)?|html|css)\b|\bc\+\+"
    r"|\b(?:refactor|debug|unit tests?|compil(?:e|er|es)|source code|pull request|git (?:rebase|merge|commit))\b"
    r"|\b(?:write|fix|review|explain) (?:me )?(?:a |an |the |this |my |some )?(?:\w+ )?(?:code|function|script|program|class|query)\b",
    _OPTIONS | re.MULTILINE,
)
_COMPLEX = re.compile(
    r"\b(?:strateg(?:y|ies|ic)|trade-?offs?|pros and cons|step by step|prove (?:that|why)|proof (?:of|that)|in depth"
    r"|business plan|roadmap|long-term plan|negotiat\w+|root cause|compare .{3,80} (?:with|and|to|against)|weigh up"
    r"|analy[sz]e|architecture of|design (?:a|an|the) (?:system|architecture|protocol|experiment))\b",
    _OPTIONS | re.DOTALL,
)
_SAFETY = re.compile(
    r"\b(?:suicid\w*|kill myself|end my life|self-?harm|hurt myself|overdos\w+|poison(?:ed|ing)|swallowed"
    r"|chest pains?|can(?:no|')t breathe|unconscious|seizure|dos(?:e|age) of|is it safe to (?:take|mix|eat|drink)"
    r"|domestic violence|being abused|emergency services|legal advice|lawsuit|gas leak|carbon monoxide)\b",
    _OPTIONS,
)
_PRIVATE = re.compile(
    r"\b(?:(?:keep|process|answer) (?:this|it) (?:strictly )?(?:private(?:ly)?|local(?:ly)?|offline|on this machine)"
    r"|(?:must|may|should|do) not (?:leave this machine|be sent (?:anywhere|to the cloud)|send (?:this|it) (?:anywhere|to the cloud))"
    r"|don't send (?:this|it) (?:anywhere|to the cloud)|use (?:only )?(?:a|the) local model|offline only)\b",
    _OPTIONS,
)
_MODERATION = re.compile(
    r"^\s*moderate\b|\b(?:against|breaks?|violates?) (?:the|our|server) rules\b|\b(?:is|was) (?:this|that|the) "
    r"(?:message|post|comment|text) (?:toxic|harassment|hateful|spam|abusive|offensive)\b",
    _OPTIONS,
)
_SMALL_TALK = re.compile(
    r"\W*(?:hi|hello|hey|hiya|good (?:morning|evening|night|day)|thanks?(?: you)?(?: (?:very|so) much)?|thx|bye|goodbye"
    r"|how are you(?: today)?|what's up|nice|cool|great|lol)\W*",
    _OPTIONS,
)
_SIGNS = (
    ("moderation", _MODERATION, "asks whether something keeps to the rules"),
    ("safety", _SAFETY, "is a delicate one"),
    ("private", _PRIVATE, "says that it is to stay on this machine"),
    ("code", _CODE, "is about code"),
    ("complex", _COMPLEX, "is a hard one"),
)


def needs_of(text: str, *, pressed: bool = False) -> Needs:
    """What a question needs, with the reason in words.

    Args:
        text: What was said.
        pressed: Today's money is nearly used up: price counts for more than skill, but not where it is delicate.
    """
    found = {name: said for name, sign, said in _SIGNS if sign.search(text)}
    if len(text) >= LONG_CHARS:
        found.setdefault("complex", "is long")
    if not found and _SMALL_TALK.fullmatch(text):
        found["cheap"] = "is small talk"
    why = [f"the question {' and '.join(found.values())}"] if found else []
    if pressed:
        found = {name: said for name, said in found.items() if name not in ("code", "complex")}
        found["cheap"] = ""
        why.append("today's budget is nearly used up")
    return Needs.model_validate({**dict.fromkeys(found, True), "why": ", and ".join(why)})

"""What a question needs of a model, read off its words: a guess by signs, so that the right kind of model is asked.

English alone; where no sign is found nothing is needed in particular, and the settings' first model is asked.
"""

import re

from agent.types import Needs

LONG_CHARS = 6_000
"""A question of so many characters is taken for a hard one."""
_OPTIONS = re.IGNORECASE
_CODE = re.compile(
    r"```|^[ \t]{0,40}(?:def \w+\(|class \w+\s*[:({]|import [\w.]+(?: as \w+)?;?\s*$|from [\w.]+ import |#include\b"
    r"|public static |function \w+\(|SELECT .+ FROM |select \* from )"
    r"|Traceback \(most recent call last\)|\b(?i:stack ?trace|exception in|python|javascript|typescript|golang|sql|bash"
    r"|regex(?:p|es)?|html|css|refactor|debug|unit tests?|compiler|(?:does not|doesn't|won't) compile|source code"
    r"|pull request|git (?:rebase|merge|commit))\b|\b\w+Error:|\b(?i:c\+\+)"
    r"|\b(?i:(?:write|fix|review|explain) (?:me )?(?:a |an |the |this |my |some )?(?:\w+ )?"
    r"(?:code|function|script|program|class|query))\b",
    re.MULTILINE,
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
_KEEP = r"(?:keep|process|answer) (?:this|it|that) (?:strictly )?(?:private(?:ly)?|local(?:ly)?|offline|on this machine)"
_PRIVATE = re.compile(
    r"(?:^\s*(?:and |but |so )?|[.!?;:,(\n]\s*(?:and |but |so )?|\bplease |\byou (?:must|should|have to|need to) )(?:"
    + _KEEP
    + r"|(?:do not|don't|never) send (?:this|it|that) (?:anywhere|to the cloud)"
    r"|(?:please )?use (?:only )?(?:a|the) local model(?: only)?|(?:please )?(?:answer )?offline only)"
    r"(?=\s*(?:[-.!,;:)\n\u2013\u2014]|$)|,? (?:and|but|please)\b)"
    rf"|\b(?:can|could|will|would) you (?:please )?{_KEEP}(?=\s*(?:[-.!?,;:)\n\u2013\u2014]|$))"
    r"|\b(?:this|it|that) (?:must|may|should) (?:not|never) (?:leave this machine|be sent (?:anywhere|to the cloud))\b(?!\s*\?)"
    r"|^\s*(?:--|[\u2013\u2014])private\b|\s(?:--|[\u2013\u2014])private\s*$",
    _OPTIONS,
)
"""What is wished for, not what is asked about: nobody who asks how something is kept private is to be refused."""
_MODERATION = re.compile(
    r"^\s*moderate(?:\s*:|\s+(?:this|that|these|the following|the (?:message|post|comment|text))\b)"
    r"|\b(?:against|breaks?|violates?) (?:our|(?:the )?(?:server|chat|channel|community)(?:'s)?) rules\b"
    r"|\b(?:message|post|comment|text|nickname)\b.{0,80}\b(?:against|breaks?|violates?) (?:the|these) rules\b"
    r"|\b(?:is|was) (?:this|that|the) (?:message|post|comment|text) (?:toxic|harassment|hateful|spam|abusive|offensive)\b",
    _OPTIONS | re.DOTALL,
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
    text = text.replace("\u2019", "'")  # telephones write it so
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

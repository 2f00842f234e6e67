"""Services that reach no net, as a test has them."""

from policies.load import ServiceRules, load_rules

RULES = load_rules().services


def ruled(**changed: object) -> ServiceRules:
    return ServiceRules(**{**RULES.model_dump(), **changed})

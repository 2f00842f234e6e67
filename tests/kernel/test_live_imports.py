"""What live code may reach of Theseus itself."""

from pathlib import Path

from policies.load import load_rules

ROOT = Path(__file__).parents[2]
OPEN = {"bot.feature", "agent.tool", "agent.types"}
"""What is made for live code, and plain values."""


def test_every_module_of_the_kernel_is_out_of_reach_of_live_code() -> None:
    """Whoever adds a module beside the live code says in the rules that this may not import it."""
    forbidden = load_rules().imports.forbidden
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for layer in ("agent", "bot")
        for path in (ROOT / layer).rglob("*.py")
        if "live" not in path.parts and path.name != "__init__.py"
    }
    open_to_it = {
        module
        for module in modules
        if not any(module == name or module.startswith(f"{name}.") for name in forbidden)
    }
    assert open_to_it == OPEN, "name new modules under [imports] forbidden in policies/rules.toml"

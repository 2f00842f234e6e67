"""Asks import-linter, inside the sandbox, and says what it found as one line of JSON.

The tool's own command puts the repository first on the module path; here it comes last, so that nothing
of it can stand in for a module of Python's. No code of the repository is run either way. It begins at a line
on stdin; before that it may read what is there already, so that later it reads only what differs.
"""

import contextlib
import io
import json
import sys

from importlinter import configuration
from importlinter.application import use_cases
from importlinter.application.output import console
from importlinter.application.user_options import UserOptions

from selfedit.gate.inside import ourselves

CACHE = "../imports"
"""Which module imports what, by the time that its file is from."""


def main() -> int:
    """Check contracts; returns 0 kept, 1 broken, 2 could not be checked.

    Arguments: the file that holds them, `yes` where there is time to get ready, and where modules are looked for.
    """
    config, ahead, *path = sys.argv[1:]
    ourselves.forget()
    sys.path.extend(path)
    configuration.configure()
    cache = CACHE if ahead == "yes" else None
    if cache is not None:
        with (
            contextlib.suppress(Exception),
            contextlib.redirect_stdout(io.StringIO()),
        ):  # it is said when it counts
            use_cases.create_report(_options(config), cache_dir=cache)
    sys.stdin.readline()
    broken: list[dict[str, str]] = []
    kept, fault = 0, ""
    with contextlib.redirect_stdout(io.StringIO()):  # the tool talks to people there
        try:
            report = use_cases.create_report(_options(config), cache_dir=cache)
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes into the report
            fault = f"{type(error).__name__}: {error}"
        else:
            faults = report.invalid_contract_options
            fault = "; ".join(f"{name}: {why.errors}" for name, why in faults.items())
            for contract, check in report.get_contracts_and_checks():
                if check.kept:
                    kept += 1
                    continue
                with console.capture() as capture:
                    contract.render_broken_contract(check)
                broken.append({"name": contract.name, "why": capture.get()})
    sys.stdout.write(json.dumps({"kept": kept, "broken": broken, "fault": fault}) + "\n")
    return 2 if fault else 1 if broken else 0


def _options(config: str) -> UserOptions:
    options = use_cases.read_user_options(config_filename=config)
    use_cases._register_contract_types(options)  # noqa: SLF001 - the tool offers no public way to a report
    return options

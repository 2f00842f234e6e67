"""Schemas of typed tools before the tools by which others read JSON Schema."""

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.calling.schema import Wrong
from tests.fakes.node import MISSING, MODULES, node
from tests.fakes.typed_tools import TOOLS, TYPES

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jsonschema") is None,
    reason="readers of JSON Schema are not installed: scripts/setup counterparts",
)
DIALECT = "https://json-schema.org/draft/2020-12/schema"
COMPILE = """
const Ajv = require(process.argv[1]);
const schemas = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const ajv = new Ajv({strict: true, strictTuples: false, allowUnionTypes: true, formats: {date: true}});
for (const schema of schemas) ajv.compile(schema);
console.log(schemas.length);
"""
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-20, 20)
    | st.floats(0, 2)
    | st.sampled_from(["a", "good", "AB12", "2026-11-21"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "near", "stops", "mood", "x"]), inner, max_size=2)
    ),
    max_leaves=6,
)


def validator(name: str) -> Any:
    return importlib.import_module("jsonschema").Draft202012Validator(TOOLS[name].parameters)


@pytest.mark.parametrize("name", TYPES)
def test_each_is_a_schema_by_its_own_standard(name: str) -> None:
    """The metaschema of JSON Schema 2020-12, which both vendors name, takes it."""
    validator(name).check_schema(TOOLS[name].parameters)


def test_a_checker_of_files_takes_all_of_them(tmp_path: Path) -> None:
    """As files, all pass the metaschema check of a command line tool; one that is no schema does not."""
    files = []
    for name, tool in TOOLS.items():
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({"$schema": DIALECT, **tool.parameters}))
        files.append(str(file))
    check = [sys.executable, "-m", "check_jsonschema", "--check-metaschema"]
    assert subprocess.run([*check, *files], check=False, capture_output=True).returncode == 0
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({"$schema": DIALECT, "type": "obejct"}))
    assert subprocess.run([*check, str(wrong)], check=False, capture_output=True).returncode == 1


@pytest.mark.skipif(node() is None, reason=MISSING)
def test_a_strict_compiler_of_schemas_takes_all_of_them() -> None:
    """In strict mode, where an unknown or useless keyword is an error, each compiles; one with such a keyword does not."""
    command = [str(node()), "-e", COMPILE, str(MODULES / "ajv" / "dist" / "2020.js")]
    told = json.dumps([tool.parameters for tool in TOOLS.values()])
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=told)
    assert (done.stdout.strip(), done.stderr) == ("30", "")
    wrong = json.dumps([{"type": "object", "propertys": {}}])
    assert subprocess.run(command, check=False, capture_output=True, text=True, input=wrong).returncode != 0


@settings(max_examples=1000)
@given(st.sampled_from(list(TYPES)), _JSON, st.sampled_from(["", "note", "nmae"]))
def test_what_we_take_the_schema_takes(name: str, value: Any, more: str) -> None:
    """A model that keeps to the schema it was shown is never told otherwise by a reader that is stricter about kinds alone."""
    arguments = {"given": value} | ({more: "x"} if more else {})
    ours = not isinstance(TOOLS[name].read(json.dumps(arguments)), Wrong)
    theirs = validator(name).is_valid(arguments)
    assert theirs or not ours or _harmless(name, value)
    if theirs and not ours:
        assert _kinds_differ(value), (name, value)


def _harmless(name: str, value: Any) -> bool:
    """What is taken although the schema does not: a member of a set twice, and Python's True for the choice 1."""
    if name == "size":
        return value is True
    return name in ("tags", "fixed_tags") and len(set(map(json.dumps, value))) < len(value)


def _kinds_differ(value: Any) -> bool:
    """Whether there is a number in it that JSON Schema calls whole and Python does not, or a text that may be no day."""
    if isinstance(value, list | dict):
        return any(map(_kinds_differ, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float | str)

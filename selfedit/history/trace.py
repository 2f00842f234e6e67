"""Answers "why is it like that?": which definitions of the running code came by which proposal."""

import ast

from selfedit.history.record import Record
from selfedit.repo import Repo
from selfedit.types import STANDING, Traced


def trace(repo: Repo, record: Record) -> tuple[Traced, ...]:
    """Every definition that merged proposals changed and that nobody took back, newest first."""
    merged = [p for p in record.proposals.values() if p.stage in STANDING]
    found: dict[tuple[str, str], Traced] = {}
    for proposal in sorted(merged, key=lambda p: record.commits[p.merge].seq, reverse=True):
        parent = repo.parents(proposal.merge)[0]
        for change in repo.changes(parent, proposal.merge):
            shas = [entry.sha for entry in (change.old, change.new) if entry]
            blobs = repo.blobs(shas)
            old = definitions(blobs[change.old.sha]) if change.old else {}
            new = definitions(blobs[change.new.sha]) if change.new else {}
            names = [name for name in {**new, **old} if old.get(name) != new.get(name)] or [
                "(the whole file)"
            ]
            for name in names:
                traced = Traced(
                    path=change.path,
                    name=name,
                    commit=proposal.merge,
                    proposal=proposal.number,
                    title=proposal.title,
                    pull=proposal.pull,
                )
                found.setdefault((change.path, name), traced)
    return tuple(found.values())


def definitions(source: bytes) -> dict[str, str]:
    """Each innermost definition of a Python file by qualified name, as a text that changes when its code does."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    found: dict[str, str] = {}

    def walk(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                walk(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found[f"{prefix}{node.name}"] = ast.dump(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    if isinstance(target, ast.Name):
                        found[f"{prefix}{target.id}"] = ast.dump(node)

    walk(tree.body, "")
    return found

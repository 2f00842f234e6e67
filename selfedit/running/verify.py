"""Proves that what runs is what was judged: the ledger's chain, the signatures, and the files in use."""

import re

from selfedit.commands import GitFailed
from selfedit.history.attestation import attested
from selfedit.history.ledger import Ledger, LedgerProblem, Move
from selfedit.history.record import IllegalMove, Record
from selfedit.history.signing import Signer
from selfedit.home import home_for
from selfedit.repo import Repo
from selfedit.running.loader import Loader
from selfedit.running.serving import Serving
from selfedit.types import STANDING, Proposal, Stage


def verify(
    repo: Repo, ledger: Ledger, signer: Signer, live: tuple[str, ...], running: dict[str, str] | None
) -> list[str]:
    """Check everything that can be checked.

    Args:
        repo: The repository.
        ledger: Its ledger.
        signer: Holds the key whose signatures count.
        live: The live folders.
        running: Git hash by path of what the bot says it compiled; None if no bot runs.

    Returns:
        What does not hold, a sentence each; empty when all holds.
    """
    faults = ledger.faults()
    try:
        record = Record(ledger)
    except (IllegalMove, LedgerProblem, ValueError, KeyError) as error:
        return [*faults, f"the ledger does not tell a possible story: {error}"]
    if not record.genesis:
        return [*faults, f"nothing has run from this repository yet (state: {home_for(repo.root)})"]
    faults += record.unfounded
    try:
        faults += _history(repo, record, signer)
        faults += _files(repo, record, signer, live, running)
    except GitFailed as error:
        faults.append(f"the repository is damaged: {error}")
    return faults


def _history(repo: Repo, record: Record, signer: Signer) -> list[str]:
    """Every first-parent commit since the genesis is told of in the ledger, vouched for, and of the tree that passed.

    Vouched for is a commit by our signature, or by a signed one beside it where `main` lives elsewhere; what people put
    there, and a proposal that became what did not pass, by the next commit that is.
    """
    faults = []
    main = repo.main()
    if not repo.is_ancestor(record.genesis, main):
        return [f"{repo.branch} ({main[:12]}) does not contain the genesis {record.genesis[:12]}"]
    if not repo.is_ancestor(record.newest, main) and not record.pending and record.adopting is None:
        faults.append(f"{repo.branch} was moved back by hand from {record.newest[:12]} to {main[:12]}")
    by_people: list[str] = []
    for commit in repo.between(record.genesis, main):
        move = record.commits.get(commit)
        if move is None:
            by_people.append(commit)
            continue
        if "unvouched" in move.data or "within" in move.data:
            by_people.append(commit)
            continue
        if not signer.signed(repo, commit):
            beside = f": {signer.doubts(repo, commit)}" if "vouched" in move.data else ""
            faults.append(f"commit {commit[:12]} ({move.kind}) has no good signature of the steward{beside}")
        if move.kind == "adopted" or "vouched" in move.data:
            by_people.clear()
        faults += _facts(repo, record, commit, move, signer)
    faults += [
        f"commit {commit[:12]} on {repo.branch} was made by people and is not adopted: "
        + (record.declined.get(commit) or record.unvouched.get(commit) or "it waits to be judged")
        for commit in by_people
    ]
    return faults


def _facts(repo: Repo, record: Record, commit: str, move: Move, signer: Signer) -> list[str]:
    kind, tree = move.kind, repo.tree_of(commit)
    voucher = commit
    if told := move.data.get("vouched"):
        voucher = signer.beside(repo, commit) or ""
        if voucher != told:
            return [f"beside commit {commit[:12]} stands another commit than the ledger says"]
    message = repo.message(voucher)
    anchor = re.search(r"^Ledger: ([0-9a-f]{64})$", message, re.MULTILINE)
    known = {move.hash for move in record.ledger.moves()}
    faults = []
    if anchor and anchor[1] not in known:
        faults.append(f"commit {commit[:12]} names a ledger row that is not there")
    proposal = record.proposals.get(move.number or 0)
    faults += _attested(
        commit, message, repo, proposal if kind == "merged" else None, beside=voucher != commit
    )
    if kind == "merged":
        report = proposal.report if proposal else None
        if report is None or report.verdict != "passed" or report.tree != tree:
            faults.append(f"commit {commit[:12]} merged a tree for which no gate report says passed")
        elif proposal and report.head not in (proposal.approved_head, commit):
            faults.append(f"commit {commit[:12]} merged a head that was not the approved one")
        elif proposal and proposal.approvals_missing and move.data.get("by") not in proposal.approvals:
            faults.append(f"commit {commit[:12]} merged without an approval that its findings ask for")
    return faults


def _attested(
    commit: str, message: str, repo: Repo, merged: Proposal | None, *, beside: bool = False
) -> list[str]:
    """Whether a commit, or what vouches `beside` it, says what its tree, its parents and the ledger say."""
    said = attested(message)
    if said is None:
        return [f"commit {commit[:12]} has no attestation that can be read"]
    parents = repo.parents(commit)
    wrong = {"tree": said.tree != repo.tree_of(commit)}
    if merged is not None and merged.report is not None:
        report = merged.report
        if beside:  # whoever merged there chose how: with the head as a parent, or squashed, or rebased
            other = said.head not in (commit, *parents[1:]) and len(parents) > 1
            other = other or not repo.is_ancestor(said.base, commit)
        else:
            other = [said.base, said.head] != list(parents)
        heads = (merged.approved_head, commit) if beside else (merged.approved_head,)
        wrong |= {
            "parents": other,
            "requester": said.requested_by != merged.requested_by,
            "approvals": said.approvals != merged.approvals or said.head not in heads,
            "policy": said.policy != report.policy,
            "image": said.image != (report.sandbox.image if report.sandbox else ""),
        }
    return [f"the attestation of {commit[:12]} names another {name}" for name, bad in wrong.items() if bad]


def attestations(repo: Repo, record: Record, signer: Signer) -> list[str]:
    """What the history says of itself since the genesis, a line a commit of the steward, oldest first."""
    found = []
    for commit in repo.between(record.genesis, repo.main()):
        if commit in record.commits:
            said = attested(repo.message(signer.beside(repo, commit) or commit))
            found.append(f"{commit[:12]}  {said.words() if said else 'no attestation that can be read'}")
    return found


def grants(record: Record) -> list[str]:
    """Who may do what beyond the rules, a line a change that stands, and who made it when."""
    return [
        f"{one.who} may {'' if one.allowed else 'not '}{one.capability}: said by {one.by}, {one.at:%Y-%m-%d %H:%M} UTC"
        for one in record.granted
    ]


def _files(
    repo: Repo, record: Record, signer: Signer, live: tuple[str, ...], running: dict[str, str] | None
) -> list[str]:
    main = repo.main()
    faults = [f"{path} is not as {main[:12]} has it" for path in repo.differs_from(main)]
    faults += [
        f"{path} is no file of {main[:12]}, and could be imported from where it lies"
        for path in repo.importable_strangers(main)
    ]
    if running is not None:
        loader = Loader(repo, record, signer, live)
        target = Serving(
            repo=repo,
            record=record,
            loader=loader,
            host=None,
            tell=lambda *_: None,
            went_live=lambda _: None,
        ).target()
        wanted = {p: e.sha for p, e in repo.entries(target).items() if p in running or _is_code(p, live)}
        if running != wanted:
            odd = sorted(p for p in {*wanted, *running} if wanted.get(p) != running.get(p))
            faults.append(f"the bot runs other code than {target[:12]}: {', '.join(odd[:5])}")
    return faults


def _is_code(path: str, live: tuple[str, ...]) -> bool:
    code = tuple(folder for folder in live if not folder.startswith("tests/"))
    return path.startswith(code) and path.endswith(".py")


def summary(record: Record) -> str:
    """What was proved, in one line."""
    merged = sum(p.stage in STANDING for p in record.proposals.values())
    taken_back = sum(p.stage is Stage.REVERTED for p in record.proposals.values())
    rows = sum(1 for _ in record.ledger.moves())
    return f"{rows} ledger rows, {len(record.commits)} commits of the steward, {merged} merged, {taken_back} taken back: all holds"

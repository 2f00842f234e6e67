"""What an answer that says no means for whoever runs this, and what they can do about it: pure."""


def refusal(status: int, said: str, path: str, *, repository: str, app: bool) -> tuple[str, float]:
    """A refusal that nobody reckoned with, as a sentence, and the seconds until it makes sense to ask again.

    Args:
        status: Its status.
        said: What GitHub says of it.
        path: What was asked for.
        repository: Ours, as `owner/name`.
        app: Whether an App asked, and not whoever holds a token.
    """
    if status == 401:  # noqa: PLR2004 - Unauthorized
        who = "GITHUB_APP_KEY as the key of GITHUB_APP_ID" if app else "GITHUB_TOKEN"
        return f"GitHub does not accept {who} (any more): {said}; give another", 300.0
    what = path.removeprefix(f"/repos/{repository}")
    if status == 404 and what.startswith("/app/installations/"):  # noqa: PLR2004 - Not Found
        why = "the App has no installation of the number in GITHUB_INSTALLATION_ID; that stands at the end of the address of its"
        return f"{why} installation page", 300.0
    if "archived" in said.lower():
        return f"{repository} is archived on GitHub, so nothing changes there ({status}: {said})", 600.0
    if status == 451:  # noqa: PLR2004 - Unavailable For Legal Reasons
        return f"GitHub has blocked {repository} ({status}: {said}); its owner has to ask GitHub why", 600.0
    if status in (403, 404):
        why = f"GitHub does not let this account at {what or 'the repository'} of {repository} ({status}: {said})"
        return f"{why}; look at its rights there", 300.0
    return f"GitHub refused a request ({status}: {said})", 120.0


def limited(seconds: float) -> str:
    """That nothing may be asked for so long, as a sentence."""
    long = f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{seconds:.0f} s"  # noqa: PLR2004 - from there in minutes
    return f"GitHub asks to be left alone for {long}, because there were many requests"

"""The process in which code under test answers a judge of contracts. Standard library only.

Its text comes on stdin, so that neither its command line nor its environment tells what it is. Nothing that it
says is believed: the judge compares answers with what the contract says, as plain values, in another process.
A clock that is to run ahead is set before anything else is imported.
"""

import ctypes
import datetime as dt
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any

Helpers = dict[str, Any]


def advance_clock(seconds: int) -> None:
    """Have the wall clock of this interpreter run ahead: for `time` and `datetime`, however they are imported.

    What asks the operating system past Python, and clocks that only measure spans, go on as they are.

    Raises:
        RuntimeError: This interpreter does not let its clock be set.
    """
    before = time.time()
    _advance_time(seconds)
    _advance_dates()
    now = dt.datetime.now(dt.UTC)
    moved = [time.time(), now.timestamp(), dt.datetime.today().timestamp()]  # noqa: DTZ002 - what is tried here
    if any(abs(moment - before - seconds) > 60 for moment in moved):  # noqa: PLR2004 - one minute
        raise RuntimeError("the clock of this interpreter cannot be set ahead")


def _advance_time(seconds: int) -> None:
    real: dict[str, Callable[..., Any]] = {name: getattr(time, name) for name in _TIMES}
    wall = {time.CLOCK_REALTIME, getattr(time, "CLOCK_TAI", time.CLOCK_REALTIME)}

    def now() -> float:
        return float(real["time"]() + seconds)

    def now_ns() -> int:
        return int(real["time_ns"]() + seconds * 10**9)

    def of_moment(name: str) -> Callable[..., Any]:
        def shown(moment: float | None = None, /) -> Any:
            return real[name](now() if moment is None else moment)

        return shown

    def strftime(form: str, moment: Any = None, /) -> str:
        return str(real["strftime"](form, time.localtime() if moment is None else moment))

    def asctime(moment: Any = None, /) -> str:
        return str(real["asctime"](time.localtime() if moment is None else moment))

    def clock_gettime(clock: int, /) -> float:
        return float(real["clock_gettime"](clock) + (seconds if clock in wall else 0))

    def clock_gettime_ns(clock: int, /) -> int:
        return int(real["clock_gettime_ns"](clock) + (seconds * 10**9 if clock in wall else 0))

    own: dict[str, Callable[..., Any]] = {
        "time": now,
        "time_ns": now_ns,
        "strftime": strftime,
        "asctime": asctime,
        "clock_gettime": clock_gettime,
        "clock_gettime_ns": clock_gettime_ns,
    }
    for name in _TIMES:
        setattr(time, name, own.get(name) or of_moment(name))


_TIMES = (
    *("time", "time_ns", "localtime", "gmtime", "ctime", "strftime", "asctime"),
    *("clock_gettime", "clock_gettime_ns"),
)


def _advance_dates() -> None:
    # In the types themselves: a subclass in their place would not be what other modules hold already.
    def now(cls: type[dt.datetime], tz: dt.tzinfo | None = None) -> dt.datetime:
        return cls.fromtimestamp(time.time(), tz)

    def utcnow(cls: type[dt.datetime]) -> dt.datetime:
        return cls.fromtimestamp(time.time(), dt.UTC).replace(tzinfo=None)

    def today(cls: type[dt.date]) -> dt.date:
        return cls.fromtimestamp(time.time())

    for kind, methods in ((dt.datetime, (now, utcnow, today)), (dt.date, (today,))):
        table = gc.get_referents(kind.__dict__)[0]
        for method in methods:
            table[method.__name__] = classmethod(method)
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


def main(fd: int, tree: str, path: list[str], seconds: int, helpers: str) -> None:
    """Get ready, and answer until the judge hangs up.

    Args:
        fd: The socket to the judge.
        tree: The repository's root.
        path: Where modules are looked for, after Python's own places.
        seconds: How far the clock is ahead.
        helpers: Source of `tests/contracts/subject.py`; empty where there is none.
    """
    if seconds:
        advance_clock(seconds)
    sys.path.extend(path)
    sys.argv[:] = [f"{tree}/__main__.py"]
    sys.orig_argv[:] = [sys.executable, *sys.argv]
    sys.modules["__main__"] = ModuleType("__main__")
    offered = ModuleType("subject")
    offered.__file__ = str(Path(tree) / "tests" / "contracts" / "subject.py")
    exec(compile(helpers, offered.__file__, "exec"), offered.__dict__)  # noqa: S102 - main's own text, sent by the judge
    _serve(fd, vars(offered))


def _serve(fd: int, helpers: Helpers) -> None:
    import asyncio  # after the clock is set

    loads, dumps, read, write = json.loads, json.dumps, os.read, os.write

    def tell(line: dict[str, Any]) -> None:
        data = dumps(line, default=_plain).encode() + b"\n"
        while data:
            data = data[write(fd, data) :]

    with asyncio.Runner() as runner:
        run = runner.get_loop().run_until_complete  # `Runner.run` sets signals up anew at each call
        tell({"id": 0, "value": "ready"})
        waiting = b""
        while data := read(fd, 65536):
            *lines, waiting = (waiting + data).split(b"\n")
            for line in lines:
                asked = loads(line)
                try:
                    value = _called(asked, helpers, run)
                    tell({"id": asked["id"], "value": value})
                except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
                    tell({"id": asked["id"], "raised": [type(error).__name__, _text(error)]})


def _called(asked: dict[str, Any], helpers: Helpers, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> Any:
    module, _, name = asked["call"].rpartition(":")
    if not name or (asked["call"] == "begin" and name not in helpers):
        return None  # the judge only asks whether anybody is there; or there is nothing to begin with
    found: Any = helpers[name] if not module else importlib.import_module(module)
    for part in name.split(".") if module else ():
        found = getattr(found, part)
    value = found(*asked["args"], **asked["kwargs"])
    return run(value) if isinstance(value, Coroutine) else value


def _plain(value: Any) -> Any:
    """What JSON has no form for, in a form that it has."""
    if isinstance(value, set | frozenset):
        return list(value)
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is not None:
        return {name: getattr(value, name) for name in fields}
    raise TypeError(f"it answered with {type(value).__name__}, which is no plain value")


def _text(error: BaseException) -> str:
    try:
        return str(error)[:1000]
    except Exception:  # noqa: BLE001 - an error's text is code under test as well
        return ""

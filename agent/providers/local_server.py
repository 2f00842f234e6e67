"""The process that holds the embedded model: loads its weights and serves it on loopback.

It is a process of its own because the library stops every thread of its process for as long as it loads, and because a
fault in native code should end nothing else. It reads one line of JSON, says one, and ends when its input does: with
whoever started it, however that ended. Run by its path and isolated (`python -I`), it imports nothing of the bot's.
"""

import json
import os
import sys
from typing import Any

IDLE_SECONDS = 300
"""After so long without a question the weights are let go of; the next one loads them again."""
MOST_THREADS = 4
"""More do not make so small a model faster; and with one for every processor it crawls as soon as others want some."""


def main() -> int:
    """Serve until the input ends; the exit code."""
    told: dict[str, Any] = json.loads(sys.stdin.readline())
    try:
        server = _opened(told)
    except Exception as error:  # noqa: BLE001 - the library raises what its native code does; all of it is told
        print(json.dumps({"failed": str(error)[:300] or type(error).__name__}), flush=True)  # noqa: T201 - the answer
        return 1
    print(json.dumps({"address": server.listening_address}), flush=True)  # noqa: T201 - the answer
    sys.stdin.read()
    del server  # closes its port and joins its threads
    return 0


def _opened(told: dict[str, Any]) -> Any:
    from xllamacpp import CommonParams, Server

    params = CommonParams()
    params.model.path = told["weights"]
    params.model_alias = {told["name"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # whichever is free
    params.api_keys = [told["key"]]
    params.n_ctx = told["context"]
    params.n_batch = params.n_ubatch = 256  # so much is read before it looks whether anybody still waits
    params.n_parallel = 1
    params.cpuparams.n_threads = max(1, min(MOST_THREADS, (os.cpu_count() or 1) // 2))
    params.n_predict = told["answer"]
    params.sampling.temp = told["temperature"]
    params.sampling.penalty_repeat = told["repeated"]
    params.sampling.penalty_last_n = told["looked_back"]
    params.cache_ram_mib = 64
    params.ui = params.endpoint_slots = params.endpoint_props = False
    params.offline = True
    params.sleep_idle_seconds = IDLE_SECONDS
    params.verbosity = -1
    return Server(params)


if __name__ == "__main__":
    sys.exit(main())

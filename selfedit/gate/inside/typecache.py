"""Lays out the type checker's cache in the sandbox, and packs what it learnt. Standard library only."""

import contextlib
import shutil
import sqlite3
import zlib
from pathlib import Path

from selfedit.gate.inside.trees import SCRATCH

TYPES = SCRATCH / "types"
LEARNT = SCRATCH / "learnt-types"
"""Where a type checker that got ready leaves, packed, what it learnt then."""
MOST_TYPES = 40_000_000
"""Bytes of types, packed, that are worth keeping for the next run."""
SCHEMA = "CREATE TABLE IF NOT EXISTS files2 (path TEXT UNIQUE NOT NULL, mtime REAL, data BLOB);"
"""As the type checker itself lays out its cache."""


def lay_out(brought: str) -> None:
    """Lay out the type checker's cache: what the sandbox brings, and over it what an earlier run learnt."""
    if brought:
        shutil.copytree(brought, TYPES, copy_function=shutil.copyfile)
    kept, rows = SCRATCH / "kept-types", SCRATCH / "kept-types.db"
    if not kept.exists():
        return
    rows.write_bytes(zlib.decompress(kept.read_bytes()))
    with contextlib.closing(sqlite3.connect(rows)) as database:
        shards = [name for (name,) in database.execute("SELECT DISTINCT shard FROM rows")]
    for name in shards:
        (TYPES / name).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(TYPES / name)) as database:
            database.executescript("PRAGMA synchronous=OFF;" + SCHEMA)
            database.execute("ATTACH ? AS kept", (str(rows),))
            database.execute(
                "INSERT OR REPLACE INTO files2(path, mtime, data) SELECT path, mtime, data FROM kept.rows WHERE shard = ?",
                (name,),
            )
            database.commit()


def pack(brought: str) -> bytes:
    """What the cache knows now that the sandbox did not bring, for the next run; nothing if that is too much."""
    rows = SCRATCH / "own-types.db"
    with contextlib.closing(sqlite3.connect(rows)) as own:
        own.execute("CREATE TABLE rows(shard TEXT, path TEXT, mtime REAL, data BLOB)")
        own.commit()
    for shard in sorted(TYPES.rglob("*.db")):
        name = str(shard.relative_to(TYPES))
        baked = bool(brought) and (Path(brought) / name).is_file()
        with contextlib.closing(sqlite3.connect(shard, uri=True)) as database:
            database.execute("ATTACH ? AS own", (str(rows),))
            source = f"file:{brought}/{name}?immutable=1" if baked else ":memory:"
            database.execute("ATTACH ? AS baked", (source,))
            if not baked:
                database.execute("CREATE TABLE baked.files2(path TEXT, mtime REAL)")
            database.execute(
                "INSERT INTO own.rows SELECT ?, path, mtime, data FROM main.files2 AS fresh WHERE NOT EXISTS "
                "(SELECT 1 FROM baked.files2 AS old WHERE old.path = fresh.path AND old.mtime = fresh.mtime)",
                (name,),
            )
            database.commit()
    data = zlib.compress(rows.read_bytes(), 1)
    return data if len(data) <= MOST_TYPES else b""

"""What a double remembers: JSON objects under (kind, id) in one SQLite file, kept over restarts."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SCHEMA = """
create table if not exists object (
    place integer primary key autoincrement, kind text not null, id text not null, body text not null,
    unique (kind, id));
create table if not exists counter (name text primary key, value integer not null);
"""


class Store:
    """Objects in the order they were first put. Every change belongs inside ``transaction``."""

    def __init__(self, path: str = ":memory:") -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, one request at a time; may be nested, the outermost one commits."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return an object, or None."""
        with self._lock:
            row = self._db.execute("select body from object where kind = ? and id = ?", (kind, key)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        """Write an object whole, new or in place of the old one, and return it."""
        statement = (
            "insert into object (kind, id, body) values (?, ?, ?) on conflict do update set body = excluded.body"
        )
        self._db.execute(statement, (kind, key, json.dumps(body)))
        return body

    def remove(self, kind: str, key: str) -> None:
        """Forget an object."""
        self._db.execute("delete from object where kind = ? and id = ?", (kind, key))

    def remove_all(self, kind: str) -> None:
        """Forget every object of a kind."""
        self._db.execute("delete from object where kind = ?", (kind,))

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Return every object of a kind, oldest first."""
        with self._lock:
            rows = self._db.execute("select body from object where kind = ? order by place", (kind,)).fetchall()
        return [json.loads(row[0]) for row in rows]

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """Return all objects by kind."""
        with self._lock:
            kinds = [row[0] for row in self._db.execute("select distinct kind from object order by kind")]
        return {kind: self.all(kind) for kind in kinds}

    def next(self, name: str) -> int:
        """Return the next number of a counter, from 1."""
        statement = (
            "insert into counter values (?, 1) on conflict (name) do update set value = value + 1 returning value"
        )
        return int(self._db.execute(statement, (name,)).fetchone()[0])

    def clear(self) -> None:
        """Forget everything, counters included."""
        self._db.execute("delete from object")
        self._db.execute("delete from counter")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

"""The embedded PostgreSQL and Redis: durable, quiet, found again after every kind of end."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from finsync.local import places
from finsync.local.places import Home, LocalError, socket_directory
from finsync.local.postgres import Postgres
from finsync.local.redis_server import Redis


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A HOME whose path is too long for a unix socket."""
    path = tmp_path_factory.mktemp("installation") / ("long" * 20)
    path.mkdir()
    return Home(path)


@pytest.fixture(scope="module")
def postgres(home: Home) -> Iterator[Postgres]:
    server = Postgres(home.postgres, home.logs / "postgresql.log")
    server.start()
    yield server
    server.stop()
    assert not server.is_running()


@pytest.fixture
def redis(home: Home) -> Iterator[Redis]:
    server = Redis(home.redis, home.logs / "redis.log")
    server.start()
    yield server
    server.stop()
    assert not server.is_running()


def test_postgresql_is_version_18_durable_and_has_no_tcp_port(postgres: Postgres) -> None:
    with psycopg.connect(postgres.dsn()) as connection:
        shown = {name: connection.execute(f"show {name}").fetchone()[0] for name in SHOWN}
    assert shown == {"fsync": "on", "synchronous_commit": "on", "listen_addresses": "", "server_encoding": "UTF8",
                     "server_version_num": shown["server_version_num"]}  # fmt: skip
    assert shown["server_version_num"].startswith("18")


SHOWN = ("fsync", "synchronous_commit", "listen_addresses", "server_encoding", "server_version_num")


def test_killed_postgresql_starts_again_with_its_data(postgres: Postgres) -> None:
    assert postgres.create_database("kept")
    psutil.Process(int((postgres.data / "postmaster.pid").read_text().split()[0])).kill()
    postgres.start()
    assert not postgres.create_database("kept")


def test_second_object_adopts_the_running_server(postgres: Postgres, home: Home) -> None:
    before = (postgres.data / "postmaster.pid").read_text().split()[0]
    Postgres(home.postgres, home.logs / "postgresql.log").start()
    assert (postgres.data / "postmaster.pid").read_text().split()[0] == before


def test_process_id_reused_by_another_program_does_not_keep_postgresql_from_starting(postgres: Postgres) -> None:
    postgres.stop()
    (postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{postgres.data}\n")
    assert not postgres.is_running()
    postgres.start()
    assert postgres.is_running()


def test_url_for_settings_leads_to_the_same_server_although_the_path_is_long(postgres: Postgres, home: Home) -> None:
    postgres.create_database("finsync")
    with psycopg.connect(places.database_url(home)) as connection:
        assert connection.info.dbname == "finsync"


def test_redis_never_evicts_and_has_no_tcp_port(redis: Redis, home: Home) -> None:
    assert redis.client().config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert redis.client().config_get("port") == {"port": "0"}
    assert redis.client().config_get("appendonly") == {"appendonly": "yes"}
    assert places.redis_url(home) == redis.url()


def test_killed_redis_starts_again_on_its_old_socket(redis: Redis) -> None:
    before = redis.client().info("server")["process_id"]
    psutil.Process(before).kill()
    redis.start()
    assert redis.client().info("server")["process_id"] != before


def test_socket_directory_is_short_private_and_remembered(tmp_path: Path) -> None:
    preferred = tmp_path / ("d" * 110)
    first = socket_directory(preferred, "redis.sock")
    assert len(str(first)) < 60
    assert first.stat().st_mode & 0o077 == 0
    assert socket_directory(preferred, "redis.sock") == first == places.known_socket_directory(preferred)
    first.rmdir()


def test_missing_redis_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    from finsync.local import redis_server

    monkeypatch.setattr(redis_server.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LocalError, match="apt install redis-server"):
        redis_server.binary()

"""Everything on one machine, for `make run` and the tests: embedded PostgreSQL and Redis, counterparties, a supervisor.

Nothing in production imports this room. Which file answers what: ``places`` where things are kept, ``packages`` the
virtual environment, ``postgres`` and ``redis_server`` the two services, ``programs`` what runs, ``supervisor`` how it
is kept running, ``erp`` the slow counterparty, ``progress`` what it says while it is slow.
"""

from __future__ import annotations

import sqlite3

import pytest

from cache import layout
from cache.errors import DamagedError
from cache.store import Store
from engine.errors import AcesError
from tests.cache.damage import sql
from tests.toy import core_run

FOREIGN = {
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON Cache BEGIN DELETE FROM Settings; END",
    "a trigger under a name of ours": "DROP TRIGGER Settings_count_insert; CREATE TRIGGER Settings_count_insert AFTER "
    "INSERT ON Cache FOR EACH ROW BEGIN DELETE FROM Cache; END",
    "a view": "CREATE VIEW v AS SELECT 1",
    "a view in place of a table": "ALTER TABLE Cache RENAME TO Other; CREATE VIEW Cache AS SELECT * FROM Other",
    "a table": "CREATE TABLE t (a)",
    "another column": "ALTER TABLE Cache ADD COLUMN more",
    "a setting that is a statement": "INSERT INTO Settings VALUES ('sqlite_user_version = 7 --', 1)",
    "a setting in place of a method": "INSERT INTO Settings VALUES ('get', 1)",
    "a setting of another type": "UPDATE Settings SET value = x'00' WHERE key = 'size_limit'",
    "a setting with a second statement": "UPDATE Settings SET value = 'wal; x' WHERE key = 'sqlite_journal_mode'",
    "an entry without a key": "INSERT INTO Cache (key, raw, mode, value) VALUES (NULL, 1, 1, x'00')",
}


@pytest.mark.parametrize("statements", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("use", [Store.metas, lambda store: store.put(core_run("d"))], ids=["read", "write"])
def test_what_this_program_does_not_make_is_not_opened(store, use, statements):
    store.put(core_run("c"))
    store.close()
    connection = sqlite3.connect(store.directory / "runs" / "cache.db")
    connection.executescript(statements)
    connection.close()
    before = sql(store, "runs", "SELECT * FROM Cache")
    with Store(store.directory) as again, pytest.raises(AcesError, match=r"is damaged \(it.*store repair") as caught:
        use(again)
    assert isinstance(caught.value, DamagedError)
    assert "\n" not in str(caught.value)
    assert sql(store, "runs", "SELECT * FROM Cache") == before


def test_what_diskcache_makes_is_what_is_expected(store):
    store.put(core_run("c"))
    store.close()
    connection = layout.connect(store.directory / "runs" / "cache.db")
    layout.check(connection)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()}
    connection.close()
    assert names == {*layout.TABLES, *layout.INDEXES, *layout.TRIGGERS}

"""Writers of one database: threads, processes, and statements by the driver's own cursor."""

import subprocess
import sys
import threading

import pytest
from sqlalchemy import text

from dicom_node.domain.errors import StorageFailure
from dicom_node.index.database import Interfered, drive, open_database, transact
from dicom_node.index.write_lock import WriteLock

HOLDER = """
import sys
from sqlalchemy import text
from dicom_node.index.database import open_database, writing
with writing(open_database(sys.argv[1])) as connection:
    connection.execute(text("INSERT INTO facts VALUES (1, 'theirs')"))
    print("holds", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'node.db'}"


@pytest.fixture
def engine(url):
    opened = open_database(url)
    transact(opened, lambda c: c.execute(text("CREATE TABLE facts (id INTEGER PRIMARY KEY, said TEXT)")))
    yield opened
    opened.dispose()


def facts(engine):
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT said FROM facts ORDER BY id")).scalars())


def test_a_writer_waits_for_another_process_and_sees_what_it_wrote(engine, url):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "holds\n"
    holder.stdin.write("go on\n")
    holder.stdin.flush()

    def write(cursor):
        cursor.execute("INSERT INTO facts SELECT max(id) + 1, 'ours' FROM facts")

    drive(engine, write)
    assert holder.wait(30) == 0
    holder.stdin.close()
    holder.stdout.close()
    assert facts(engine) == ["theirs", "ours"]


def test_nothing_stays_of_what_fails(engine):
    def fail(cursor):
        cursor.execute("INSERT INTO facts VALUES (1, 'half')")
        raise KeyError

    with pytest.raises(KeyError):
        drive(engine, fail)
    assert facts(engine) == []
    drive(engine, lambda cursor: cursor.execute("INSERT INTO facts VALUES (1, 'whole')"))
    assert facts(engine) == ["whole"]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("INSERT INTO facts VALUES (1, 'canary')", Interfered),
        ("INSERT INTO nothing VALUES (1)", StorageFailure),
    ],
)
def test_a_driver_s_error_gets_its_meaning_and_says_no_value(engine, statement, error):
    drive(engine, lambda cursor: cursor.execute("INSERT INTO facts VALUES (1, 'once')"))
    with pytest.raises(error) as raised:
        drive(engine, lambda cursor: cursor.execute(statement))
    assert "canary" not in str(raised.value)


def test_a_thread_may_hold_the_lock_twice(tmp_path):
    lock = WriteLock(tmp_path / "lock")
    with lock, lock:
        pass
    with WriteLock(tmp_path / "lock"):  # another one's file: it is free again
        pass
    lock.close()


def test_a_writer_that_hangs_is_not_waited_for_without_limit(tmp_path):
    hanging = WriteLock(tmp_path / "lock")
    lock = WriteLock(tmp_path / "lock", wait_s=0.05)
    with hanging, pytest.raises(StorageFailure, match="hangs"), lock:
        pytest.fail("it has the lock")
    refused = []
    with lock:
        in_another_thread = threading.Thread(target=lambda: refused.append(_refused(lock)))
        in_another_thread.start()
        in_another_thread.join()
    assert refused == [True]
    patient = WriteLock(tmp_path / "lock")
    with patient:  # nobody has what came too late
        pass
    for each in (hanging, lock, patient):
        each.close()


def test_a_writer_that_waits_gets_its_turn(tmp_path):
    first, second = WriteLock(tmp_path / "lock"), WriteLock(tmp_path / "lock")
    turns = []

    def wait():
        with second:
            turns.append("second")

    with first:
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(0.05)
        turns.append("first")
    thread.join(30)
    assert turns == ["first", "second"]
    first.close()
    second.close()


def _refused(lock):
    try:
        with lock:
            return False
    except StorageFailure:
        return True


def test_a_folder_that_is_gone_is_the_transaction_s_matter(tmp_path):
    with WriteLock(tmp_path / "gone" / "lock"):
        pass

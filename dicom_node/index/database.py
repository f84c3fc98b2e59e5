"""The index's database: opening, transactions, schema."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import URL, Engine, create_engine, event, exc, make_url, text

from dicom_node.domain.errors import ConfigurationError, NodeError, OutOfResources, StorageFailure
from dicom_node.index.catalog_levels import derive_missing
from dicom_node.index.write_lock import WriteLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from sqlalchemy import Connection, PoolProxiedConnection

#: Seconds that a writer waits for another process's transaction.
_BUSY_TIMEOUT_S: Final = 30
#: Any number, the same in every node: held while the schema changes.
_UPGRADE_LOCK: Final = 0x0D1C0A0D
#: Engine option: serialises writers on SQLite, which would else sleep and try again.
_LOCK_OPTION: Final = "dicom_node_write_lock"
#: Engine option: connections that `driving` keeps on SQLite; the pool's checks cost more than the statements.
_HELD_OPTION: Final = "dicom_node_held"
#: Connection option: the statement that begins a transaction on SQLite.
_BEGIN_OPTION: Final = "dicom_node_begin"
_ATTEMPTS: Final = 5
_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
#: The write-ahead log is moved into the database every so many pages (16 MiB): whoever commits then waits.
_WAL_PAGES: Final = 4096

_Outcome = TypeVar("_Outcome")


class Interfered(StorageFailure):
    """Another transaction came in between; the same transaction may pass now."""


def open_database(url: str) -> Engine:
    """Open `sqlite:///<path>` (the folder and file are made) or `postgresql+psycopg://…`.

    Connections are pooled and may be used by any thread. Nothing is read yet: see `check`.

    Raises
    ------
    ConfigurationError
        If the URL is malformed, or names another database or a missing driver.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(parsed)
        if parsed.drivername != "postgresql+psycopg":
            raise ConfigurationError(
                f"database.url: {parsed.drivername} is not supported; use sqlite:///<path> or"
                " postgresql+psycopg://<user>@<host>/<database>"
            )
        return create_engine(parsed, pool_size=10, max_overflow=20, pool_pre_ping=True)
    except (exc.ArgumentError, ImportError) as error:
        raise ConfigurationError(
            "database.url cannot be used; write sqlite:///<path>, or postgresql+psycopg://… after"
            " `pip install 'dicom-ai-node[postgresql]'`"
        ) from error


def _open_sqlite(url: URL) -> Engine:
    if url.database in {None, "", ":memory:"}:
        raise ConfigurationError("database.url: SQLite needs a file: sqlite:///<path>")
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{path.parent}: cannot be made ({error.strerror}); correct database.url or node.data_dir"
        ) from error
    held: list[PoolProxiedConnection] = []
    engine = create_engine(
        url,
        connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False},
        pool_size=10,
        max_overflow=20,
        execution_options={
            _LOCK_OPTION: WriteLock(path.with_name(f"{path.name}-writers"), _BUSY_TIMEOUT_S),
            _HELD_OPTION: held,
        },
    )

    @event.listens_for(engine, "engine_disposed")
    def _give_back(_engine: Engine) -> None:
        while held:
            held.pop().invalidate()

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        # The driver's own BEGIN comes too late for reads and not at all for DDL: `_begin` sends it.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (*_PRAGMAS, f"wal_autocheckpoint={_WAL_PAGES}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get(_BEGIN_OPTION, "BEGIN")
        if statement:
            connection.exec_driver_sql(statement)

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One durable transaction: committed on leaving, rolled back where an error leaves it.

    Raises
    ------
    OutOfResources, StorageFailure
    """
    with _mapped(engine), engine.get_execution_options().get(_LOCK_OPTION, nullcontext()):
        connection = engine.connect().execution_options(**{_BEGIN_OPTION: "BEGIN IMMEDIATE"})
        with connection, connection.begin():
            yield connection


@contextmanager
def driving(engine: Engine) -> Iterator[Any]:
    """As `writing`, with the driver's own cursor: for the few statements that every instance pays for.

    Raises
    ------
    OutOfResources, StorageFailure
    """
    options = engine.get_execution_options()
    held: list[PoolProxiedConnection] = options.get(_HELD_OPTION, [])
    with _mapped(engine), options.get(_LOCK_OPTION, nullcontext()):
        connection = held.pop() if held else engine.raw_connection()
        try:
            cursor = connection.cursor()
            if engine.dialect.name == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            connection.commit()
        except BaseException:
            connection.rollback()
            connection.close()
            raise
        if _HELD_OPTION in options:
            held.append(connection)
        else:
            connection.close()


def drive(engine: Engine, work: Callable[[Any], _Outcome]) -> _Outcome:
    """As `transact`, with the driver's own cursor."""
    return _repeated(lambda: driving(engine), work)


def transact(engine: Engine, work: Callable[[Connection], _Outcome]) -> _Outcome:
    """Call `work` in a transaction of its own; again where another writer was in between.

    Raises
    ------
    OutOfResources, StorageFailure
    """
    return _repeated(lambda: writing(engine), work)


def _repeated(
    open_transaction: Callable[[], AbstractContextManager[Any]], work: Callable[[Any], _Outcome]
) -> _Outcome:
    for _ in range(_ATTEMPTS - 1):
        try:
            with open_transaction() as connection:
                return work(connection)
        except Interfered:
            continue
    with open_transaction() as connection:
        return work(connection)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A consistent view on SQLite, statement by statement on PostgreSQL.

    Raises
    ------
    StorageFailure
    """
    with _mapped(engine), engine.connect() as connection:
        yield connection


@contextmanager
def peeking(engine: Engine) -> Iterator[Connection]:
    """For a single statement: no transaction is begun on SQLite.

    Raises
    ------
    StorageFailure
    """
    with _mapped(engine), engine.connect() as connection:
        yield connection.execution_options(**{_BEGIN_OPTION: ""})


def upgrade(engine: Engine) -> None:
    """Bring the schema to this version's, and derived tables with it; several nodes may do so at once.

    Raises
    ------
    StorageFailure, OutOfResources
        If the database does not answer or the schema cannot be changed.
    ConfigurationError
        If a newer node made the schema.
    """
    # Loaded where it is used: receiver processes work on the schema as it is, and start sooner without.
    from alembic import command

    config = _config()
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})
        current = _revision(connection)
        _refuse_unknown(config, current)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        # A migration that changes what is derived leaves it empty.
        derive_missing(connection)


def check(engine: Engine) -> None:
    """Raise where the database does not answer or its schema is not this version's.

    Raises
    ------
    StorageFailure, ConfigurationError
    """
    config = _config()
    with reading(engine) as connection:
        current = _revision(connection)
    _refuse_unknown(config, current)
    if current != _scripts(config).get_current_head():
        raise ConfigurationError("the database's schema is not this version's; run `dicom-node db upgrade`")


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _revision(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _scripts(config: Config) -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(config)


def _refuse_unknown(config: Config, revision: str | None) -> None:
    known = {script.revision for script in _scripts(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise ConfigurationError(
            "a newer version of the node made this database; install that version again, or restore a backup"
        )


@contextmanager
def _mapped(engine: Engine) -> Iterator[None]:
    driver: Any = engine.dialect.loaded_dbapi
    try:
        yield
    except (exc.DBAPIError, driver.Error) as error:
        # The statement's parameters stay out of the message; `from None` keeps them out of tracebacks.
        raise _meaning(error, driver) from None
    except exc.SQLAlchemyError as error:
        raise StorageFailure(f"the database did not answer ({type(error).__name__})") from None


def _meaning(error: Exception, driver: Any) -> NodeError:
    original = getattr(error, "orig", None) or error
    name = str(getattr(original, "sqlite_errorname", "") or getattr(original, "sqlstate", "") or "")
    if name in {"SQLITE_FULL", "53100"}:
        return OutOfResources("the database's disk is full; free disk space, or wait for purges")
    if isinstance(original, driver.IntegrityError) or name in {"40001", "40P01"}:
        return Interfered(f"two writers of the database collided ({name}); try again")
    return StorageFailure(
        f"the database did not answer ({type(original).__name__} {name}); check that it runs, and its disk"
    )

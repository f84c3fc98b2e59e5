"""Opening, schema and errors of the database."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from upgrade_contract import UpgradeContract

from dicom_node.domain.attribute_levels import SERIES_TAGS, STUDY_TAGS
from dicom_node.domain.errors import ConfigurationError, StorageFailure
from dicom_node.index.database import Interfered, check, open_database, reading, transact, upgrade
from dicom_node.index.tables.all import metadata


def test_migrations_make_the_schema_that_the_tables_say(engine):
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_check_passes_after_an_upgrade_only(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'new' / '100%.db'}")
    with pytest.raises(ConfigurationError, match="db upgrade"):
        check(engine)
    upgrade(engine)
    upgrade(engine)
    check(engine)
    engine.dispose()


def test_schema_of_a_newer_version_is_left_alone(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for call in (check, upgrade):
        with pytest.raises(ConfigurationError, match="newer"):
            call(engine)


def test_several_nodes_may_upgrade_at_once(tmp_path):
    engines = [open_database(f"sqlite:///{tmp_path / 'node.db'}") for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(upgrade, engines))
    for engine in engines:
        check(engine)
        engine.dispose()


def test_commits_are_durable(engine):
    with engine.connect() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        ]
    assert pragmas == ["wal", 2, 1, 1]


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://u@h/d"])
def test_unusable_url_is_refused_with_what_to_do(url):
    with pytest.raises(ConfigurationError, match=r"database\.url"):
        open_database(url)


def test_folder_that_cannot_be_made_is_a_configuration_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        open_database(f"sqlite:///{tmp_path / 'file' / 'node.db'}")


def test_file_that_is_no_database_is_a_storage_failure(tmp_path):
    (tmp_path / "node.db").write_bytes(b"no database at all" * 100)
    engine = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    with pytest.raises(StorageFailure):
        check(engine)
    engine.dispose()


def test_error_leaves_no_half_of_a_transaction_and_no_values_in_its_text(engine):
    def work(connection):
        connection.execute(text("INSERT INTO vault VALUES (:id, :sealed)"), {"id": "a", "sealed": b"x"})
        connection.execute(text("INSERT INTO nowhere VALUES (:v)"), {"v": "SECRET"})

    with pytest.raises(StorageFailure) as caught:
        transact(engine, work)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM vault")).scalar() == 0


def test_transaction_that_another_came_between_is_tried_again(engine):
    tries = []

    def work(connection):
        tries.append(1)
        if len(tries) < 3:
            connection.execute(text("INSERT INTO vault VALUES (NULL, NULL)"))
        return "done"

    assert transact(engine, work) == "done"
    assert len(tries) == 3
    with pytest.raises(Interfered):
        transact(engine, lambda c: c.execute(text("INSERT INTO vault VALUES (NULL, NULL)")))


def test_level_tags_are_the_dictionarys_and_disjoint():
    from pydicom.datadict import keyword_for_tag

    assert not STUDY_TAGS & SERIES_TAGS
    assert [tag for tag in STUDY_TAGS | SERIES_TAGS if not keyword_for_tag(int(tag, 16))] == []


class TestUpgrade(UpgradeContract):
    @pytest.fixture
    def blank(self, tmp_path):
        return f"sqlite:///{tmp_path / 'old.db'}"

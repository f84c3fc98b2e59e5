"""The index on PostgreSQL: the same contract, and several processes on one database."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from catalog_contract import CatalogContract, VaultContract, catalog, vault
from commitment_contract import CommitmentContract, commitments, now
from delivery_contract import DeliveryContract
from index_contract import (
    LifecycleContract,
    OutcomesContract,
    PagesContract,
    PurgeContract,
    ReceivingContract,
    clock,
    index,
    slot,
)
from index_samples import STUDY, SetClock, instance
from ledger_contract import LedgerContract
from matching_contract import MatchingContract
from pulls_contract import ArrivalsContract, PullsContract, arrivals, pulls
from quarantine_contract import QuarantineContract, ReportContract, item, quarantine, source
from upgrade_contract import UpgradeContract
from worklist_contract import WorklistContract, store

from dicom_node.domain.errors import StorageFailure
from dicom_node.domain.instance import StoreOutcome
from dicom_node.index.database import check, open_database, upgrade
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.index.tables.all import metadata

__all__ = [
    "arrivals",
    "catalog",
    "clock",
    "commitments",
    "index",
    "item",
    "now",
    "pulls",
    "quarantine",
    "slot",
    "source",
    "store",
    "vault",
]

pytestmark = pytest.mark.integration


class TestReceiving(ReceivingContract):
    pass


class TestLifecycle(LifecycleContract):
    pass


class TestPurge(PurgeContract):
    pass


class TestOutcomes(OutcomesContract):
    pass


class TestPages(PagesContract):
    pass


class TestQuarantine(QuarantineContract):
    pass


class TestReports(ReportContract):
    pass


class TestLedger(LedgerContract):
    pass


class TestCatalog(CatalogContract):
    pass


class TestMatching(MatchingContract):
    pass


class TestCommitments(CommitmentContract):
    pass


class TestPulls(PullsContract):
    pass


class TestArrivals(ArrivalsContract):
    pass


class TestUpgrade(UpgradeContract):
    @pytest.fixture
    def blank(self, postgresql):
        return postgresql.create()


class TestVault(VaultContract):
    pass


class TestWorklist(WorklistContract):
    pass


class TestDeliveries(DeliveryContract):
    pass


def test_migrations_make_the_schema_that_the_tables_say(engine):
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_several_nodes_may_upgrade_at_once(postgresql):
    url = postgresql.create()
    engines = [open_database(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(upgrade, engines))
    for engine in engines:
        check(engine)
        engine.dispose()


def test_database_that_is_not_there_is_a_storage_failure(postgresql):
    engine = open_database(postgresql.url("nowhere"))
    with pytest.raises(StorageFailure):
        check(engine)


def test_processes_share_a_database_without_loss_or_doubles(url, engine, clock):
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as processes:
        answers = list(processes.map(_receive_all, [url] * 4, range(4)))
    for copies in zip(*(outcomes for outcomes, _ in answers), strict=True):
        assert sorted(copies) == sorted([StoreOutcome.STORED] + 3 * [StoreOutcome.DUPLICATE])
    (study,), _ = SqlStudyIndex(engine, clock).studies()
    assert study.received_instances == 40
    assert sorted(version for _, version in answers if version is not None) == [1]


def _receive_all(url, seed):
    """Register the same forty instances in another order each, then try to begin processing."""
    engine = open_database(url)
    index = SqlStudyIndex(engine, SetClock())
    slot = index.open_slot(STUDY)
    order = sorted(range(40), key=lambda n: (n * 7919 + seed * 104729) % 41)
    with ThreadPoolExecutor(4) as threads:
        outcomes = dict(
            zip(order, threads.map(lambda n: index.register(instance(slot, n)), order), strict=True)
        )
    version = None if len(index.sources(slot.study_id, 1)) < 40 else index.begin_processing(slot.study_id)
    engine.dispose()
    return [outcomes[n] for n in range(40)], version

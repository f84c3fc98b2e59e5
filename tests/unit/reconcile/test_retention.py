"""What goes after its days, and what must stay: on real stores."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from dicom_node.app.retention import expire_results
from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.errors import NotFound
from dicom_node.domain.study import StudyState


@pytest.fixture
def services(node):
    return SimpleNamespace(
        clock=node.clock,
        index=node.index,
        catalog=node.catalog,
        quarantine=node.quarantine,
        ledger=node.ledger,
        vault=node.vault,
        stores=node.stores,
        deliveries=node.deliveries,
        audit=node.audit,
    )


def settle(node, study_id):
    """Its delivery came to its end."""
    (record,) = node.deliveries.of_version(study_id, 1)
    now = node.clock.now()
    sent = [replace(each, status=DeliveryStatus.SENT) for each in node.deliveries.objects(record.key)]
    node.deliveries.record(
        replace(record, status=DeliveryStatus.SENT, settled_at=now, updated_at=now), objects=sent
    )


def test_results_go_with_the_identity_and_the_ledger_keeps_that_they_were(node, services):
    study_id = node.done_study()
    node.purge(study_id, 1)
    assert expire_results(services, 0) == 0, "its delivery is on its way"
    settle(node, study_id)
    assert expire_results(services, 30) == 0
    node.clock.ahead = timedelta(days=31)
    assert expire_results(services, 30) == 1
    assert node.files("results") == []
    with pytest.raises(NotFound):
        node.vault.get(study_id)
    assert node.ledger.summary(study_id).results.expired == 2
    assert expire_results(services, 30) == 0
    assert node.reconcile().clean


def test_identity_of_a_study_without_results_goes_too(node, services):
    study_id = node.receive()
    version, _ = node.process(study_id)
    node.index.set_results(study_id, version, ())
    node.ledger.made(study_id, version, ())
    node.catalog.withdraw_results(study_id, before_version=2)
    node.index.finish(study_id, version, StudyState.REJECTED, "no route")
    node.purge(study_id, version)
    node.clock.ahead = timedelta(days=29)
    expire_results(services, 30)
    assert node.vault.get(study_id)
    node.clock.ahead = timedelta(days=31)
    expire_results(services, 30)
    with pytest.raises(NotFound):
        node.vault.get(study_id)
    assert [event for event, _ in node.audit] == ["study.identity_forgotten"]


def test_identity_of_what_is_in_quarantine_stays(node, services):
    study_id = node.receive()
    version, _ = node.process(study_id, held=1)
    node.index.set_results(study_id, version, ())
    node.index.finish(study_id, version, StudyState.REJECTED, "no route")
    node.purge(study_id, version)
    node.clock.ahead = timedelta(days=99)
    expire_results(services, 30)
    assert node.vault.get(study_id)

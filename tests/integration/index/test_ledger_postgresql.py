"""Messages to listeners, and the reconciler's view of studies, on PostgreSQL."""

import pytest
from notification_contract import NotificationContract
from reconciled_node import ReconciledNode

from dicom_node.domain.reconciliation import DiscrepancyKind


class TestNotifications(NotificationContract):
    pass


@pytest.fixture
def node(url, tmp_path):
    node = ReconciledNode(tmp_path, url)
    yield node
    node.close()


def test_clean_node_is_clean_and_a_loss_is_seen(node):
    node.receive()
    study_id = node.done_study(held=1)
    node.purge(node.done_study(), 1)
    node.age()
    assert node.reconcile(deep=True).clean
    for path in node.files("spool"):
        if study_id in str(path):
            path.unlink()
    assert node.found() == {DiscrepancyKind.INSTANCE_WITHOUT_BYTES: 3}

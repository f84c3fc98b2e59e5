"""Which configured archive a work item's retrieval means."""

import pytest

from dicom_node.app.worklist import PulledInput, build_input_source
from dicom_node.settings import load_settings


class Pulls:
    def __init__(self):
        self.asked = []

    def request(self, source, uid):
        self.asked.append((source, uid))
        return "id"


@pytest.mark.parametrize(
    ("url", "ae_title", "source"),
    [
        ("https://pacs.example/dicom-web", None, "pacs"),
        ("https://pacs.example/dicom-web/studies/1.2/series/3", None, "pacs"),
        ("https://pacs.example/dicom-web/other/studies/1.2", None, "other"),
        ("https://pacs.example/dicom-web-of-another/studies/1.2", None, None),
        ("https://pacs.example.test/dicom-web", None, None),
        (None, "ARCHIVE", "pacs"),
        (None, " ARCHIVE ", "pacs"),
        (None, "UNKNOWN", None),
        (None, None, None),
    ],
)
def test_source_is_one_that_is_configured(url, ae_title, source):
    urls = {"pacs": "https://pacs.example/dicom-web/", "other": "https://pacs.example/dicom-web/other"}
    assert PulledInput(Pulls(), urls, {"ARCHIVE": "pacs"}).source_for(url, ae_title) == source


def test_configuration_names_sources_by_url_and_by_the_peer_of_their_name():
    pulls = Pulls()
    settings = load_settings(
        dicomweb={"sources": [{"name": "pacs", "url": "http://pacs.example/dicom-web"}]},
        dimse={
            "peers": [
                {"name": "pacs", "ae_title": "ARCHIVE", "host": "pacs.example", "port": 104},
                {"name": "ris", "ae_title": "RIS", "host": "ris.example", "port": 104},
                {"name": "old", "ae_title": "OLD", "host": "old.example", "port": 104, "retrieve": "move"},
            ]
        },
    )
    source = build_input_source(settings, pulls)
    assert source.source_for(None, "ARCHIVE") == "pacs"
    assert source.source_for(None, "RIS") is None
    assert source.source_for(None, "OLD") == "old"
    source.request("pacs", "1.2.3")
    assert pulls.asked == [("pacs", "1.2.3")]

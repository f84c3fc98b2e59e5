"""Which archives a configuration means, and who is asked for counts."""

import pytest

from dicom_node.app.archives import build_archives, build_counters
from dicom_node.dimse.archive import DimseArchive
from dicom_node.domain.errors import ConfigurationError
from dicom_node.settings import load_settings
from dicomweb.client.archive import DicomwebArchive


def peer(name, **more):
    return {"name": name, "ae_title": f"AE-{name.upper()}", "host": "pacs.example", "port": 104, **more}


def source(name, **more):
    return {"name": name, "url": "http://pacs.example/dicom-web", **more}


def build(peers=(), sources=()):
    return load_settings(dimse={"peers": list(peers)}, dicomweb={"sources": list(sources)})


def test_sources_are_peers_that_may_be_retrieved_from_and_dicomweb_services():
    settings = build([peer("a", retrieve="get"), peer("b", retrieve="move"), peer("c")], [source("d")])
    opened = {name: make(lambda _s: None) for name, make in build_archives(settings, lambda: None).items()}
    assert {name: type(archive) for name, archive in opened.items()} == {
        "a": DimseArchive,
        "b": DimseArchive,
        "d": DicomwebArchive,
    }


def test_name_that_would_mean_two_sources_is_refused():
    with pytest.raises(ConfigurationError, match="give the source another name"):
        build([peer("a", retrieve="get")], [source("a")])


def test_source_that_counts_for_nobody_is_refused():
    with pytest.raises(ConfigurationError, match="whose studies are counted there"):
        build([peer("a")], [source("b", count=True)])


def test_counts_come_from_the_peer_or_the_dicomweb_service_of_its_name():
    settings = build(
        [peer("a", count=True), peer("b"), peer("c"), peer("d", count=True)],
        [source("b", count=True), source("c"), source("d", count=True)],
    )
    counters = build_counters(settings)
    assert {name: type(count.__self__) for name, count in counters.items()} == {
        "dimse:AE-A": DimseArchive,
        "dimse:AE-B": DicomwebArchive,
        "dimse:AE-D": DicomwebArchive,
    }

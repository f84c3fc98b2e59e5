"""The packages that were trained here, by DICOM from end to end: real images in, coded results out."""

import copy
import io

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ROUTES = [
    {"name": "head", "when": {"modality": "MR"}, "models": ["mr-brain-tumour"]},
    {"name": "chest", "when": {"modality": "CR"}, "models": ["cxr-pneumonia"], "series": "all"},
]


@pytest.fixture(scope="module")
def node(module_node):
    return module_node(routes=ROUTES, results={"pdf": False})


@pytest.fixture(scope="module")
def chest():
    """A real chest radiograph, of an adult."""
    path = get_testdata_file("RG1_UNCR.dcm", download=False)
    if path is None:
        pytest.skip("needs pydicom-data")
    ds = dcmread(path)
    ds.PatientAge = "045Y"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    return ds


def _stored(node, study, kind):
    base = f"/dicom-web/studies/{study['study_instance_uid']}"
    for result in study["results"]:
        if result["kind"] == kind:
            url = f"{base}/series/{result['series_instance_uid']}/instances/{result['sop_instance_uid']}"
            answer = node.http.get(url, headers={"accept": "application/dicom"}).raise_for_status()
            yield dcmread(io.BytesIO(answer.content))


def _texts(item):
    """The words of codes and texts of a report, at any depth."""
    for child in item.get("ContentSequence", ()):
        if "ConceptCodeSequence" in child:
            yield child.ConceptCodeSequence[0].CodeMeaning
        yield str(child.get("TextValue", ""))
        yield from _texts(child)


def _check(node, study, run, model, labels):
    assert (study["state"], run["status"], run["model"]) == ("done", "done", model), run["reason"]
    assert run["label"].startswith(labels)
    assert 0.6 <= run["confidence"] <= 1
    words = " ".join(text for ds in _stored(node, study, "SR") for text in _texts(ds))
    assert run["label"].split(" (")[0] in words
    pictures = list(_stored(node, study, "SC"))
    assert pictures
    assert all(ds.PhotometricInterpretation == "RGB" for ds in pictures)
    # The heat is in colour.
    assert any((ds.pixel_array.max(axis=-1) != ds.pixel_array.min(axis=-1)).any() for ds in pictures)


def test_head_without_tumour_is_called_one(node, t1_half):
    assert set(node.send(t1_half)) == {0x0000}
    study = node.wait_ended(t1_half[0].StudyInstanceUID)
    (run,) = study["runs"]
    _check(node, study, run, "mr-brain-tumour", "No tumour")


def test_radiographs_of_one_study_are_judged_together_and_each_has_its_report(node, chest):
    sent = [copy.deepcopy(chest) for _ in range(3)]
    for ds in sent[1:]:
        ds.SeriesInstanceUID, ds.SOPInstanceUID = generate_uid(), generate_uid()
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    sent[1].PixelData = bytes(len(sent[1].PixelData))
    assert set(node.send(sent)) == {0x0000}
    study = node.wait_ended(chest.StudyInstanceUID)
    judged = {status: [r for r in study["runs"] if r["status"] == status] for status in ("done", "rejected")}
    first, second = judged["done"]
    _check(node, study, first, "cxr-pneumonia", ("Pneumonia", "No pneumonia"))
    assert (first["label"], first["confidence"]) == (second["label"], second["confidence"])
    (refused,) = judged["rejected"]
    assert "blank" in refused["reason"]
    about = {
        item.ReferencedSeriesSequence[0].SeriesInstanceUID
        for ds in _stored(node, study, "SR")
        for item in ds.CurrentRequestedProcedureEvidenceSequence
    }
    assert len(about) == 3

"""The PDF report: the same bytes each time, without identity, in an object that readers take."""

import io

import pydicom
import pytest
from predicted_series import make_case, pick
from predicted_tasks import card_of, classified, make_task

from dicom_node.domain.result import ResultKind
from inference.encode import makers
from inference.encode.checks.program import Validator
from inference.encode.choice import ResultChoice
from inference.encode.gate import Gate

PDF = ResultChoice(pdf=True)


def document(case, **options):
    ds = pydicom.dcmread(io.BytesIO(pick(case.encode(choice=PDF, **options), ResultKind.PDF).data))
    return bytes(ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength])


def test_another_patient_has_the_same_pages():
    def rename(ds, index):
        ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.StudyDate = (
            "Other^One",
            "X-1",
            "19500101",
            "20200202",
        )

    # Nothing of the patient is in it, and nothing of the time of its making.
    assert document(make_case(3, 33, 29)) == document(make_case(3, 33, 29, change=rename))


def test_pages_depend_on_finding_card_and_pictures():
    case = classified(make_case(8, 33, 29))
    with_card, without = document(case, card=card_of), document(case)
    other = document(classified(make_case(8, 33, 29), label="Meningioma"))
    assert len({with_card, without, other}) == 3
    assert all(
        pages.startswith(b"%PDF-") and pages.rstrip().endswith(b"%%EOF") for pages in (with_card, without)
    )
    assert with_card.count(b"/Subtype /Image") == 2


def test_document_is_of_the_study_and_names_its_sources():
    case = make_task("measurement", slices=7, rows=33, columns=29)
    ds = pydicom.dcmread(io.BytesIO(pick(case.encode(choice=PDF), ResultKind.PDF).data))
    assert (ds.Modality, ds.MIMETypeOfEncapsulatedDocument) == ("DOC", "application/pdf")
    assert ds.BurnedInAnnotation == "NO"
    assert len(ds.EncapsulatedDocument) % 2 == 0
    sources = [item.ReferencedSOPInstanceUID for item in ds.SourceInstanceSequence]
    assert sources == list(case.prediction.source_sop_instance_uids)


def test_letters_that_the_font_lacks_do_not_stop_the_report():
    assert document(make_case(3, 33, 29), label="脳 & <b>Gehirn</b>").startswith(b"%PDF-")


def test_pdf_is_made_only_where_it_is_wanted():
    case = make_case(3, 33, 29)
    assert ResultKind.PDF not in {result.kind for result in case.encode(choice=ResultChoice(pdf=False))}


@pytest.mark.parametrize("error", [ValueError("PSEUDO-4711"), MemoryError()])
def test_pdf_that_cannot_be_made_is_left_out_and_the_report_says_so(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(makers, "make_pdf_report", fail)
    case = make_case(3, 33, 29)
    if isinstance(error, MemoryError):
        # No fault of the object: the stage has to hear of it.
        with pytest.raises(MemoryError):
            case.encode(choice=PDF)
        return
    results = case.encode(choice=PDF)
    assert ResultKind.PDF not in {result.kind for result in results}
    report = pick(results, ResultKind.SR, 1).data
    assert b"Left out: PDF report." in report
    assert b"PSEUDO-4711 " not in report.split(b"Left out")[1]
    assert Gate(Validator(program="no-such-program")).check(results, case.study) == {}

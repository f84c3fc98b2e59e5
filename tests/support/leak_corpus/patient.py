"""Identity in the attributes made for it: patient, visit, order, persons, institution, and all scripts.

References
----------
PS3.5 §6.1 and Annexes H to K (character sets and examples of names).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from leak_corpus.catalogue import Catalogue
from leak_corpus.draft import DEVICE, SAFE_PRIVATE, Draft, raw
from leak_corpus.person import invent, pool
from leak_corpus.scripts import EXTENSIONS, SCRIPTS
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENT = Catalogue("patient")


def _script(name: str) -> Callable[[Draft], None]:
    charset, encodings, families, givens = SCRIPTS[name]

    def plant(draft: Draft) -> None:
        ds = draft.image()
        number = draft.rng.randrange(2)
        family = pool(families.split(), draft.seed)[number]
        given = pool(givens.split(), draft.seed)[draft.rng.randrange(2)]
        ds.SpecificCharacterSet = charset
        ds.PatientName = f"{family}^{given}"
        # By hand: pydicom cannot mix half-width katakana with Latin letters.
        raw(ds, 0x00104000, "LT", f"{given} {family}, T1 MPRAGE".encode(encodings[0]))
        raw(ds, 0x00204000, "LT", f"T2 FLAIR {family}".encode(encodings[0]))
        ds.OtherPatientNames = f"{family}^{given}"
        if len(family) > 2:
            draft.secret(family, "PatientName and texts", encodings=encodings)
        draft.secret(given, "PatientName and texts", encodings=encodings)
        draft.secret(f"{family}^{given}", "PatientName", encodings=encodings)
        draft.gone(ds, ("PatientComments",), family, given)
        draft.gone(ds, ("ImageComments",), family)
        draft.keep(ds, ("PatientComments",), "T1", "MPRAGE", needs="clean-descriptors")
        draft.keep(ds, ("ImageComments",), "T2", "FLAIR", needs="clean-descriptors")

    return plant


def _extension(name: str) -> Callable[[Draft], None]:
    charset, encodings, names = EXTENSIONS[name]

    def plant(draft: Draft) -> None:
        ds = draft.image("CT_small.dcm")
        written = pool(names, draft.seed)[0]
        ds.SpecificCharacterSet = charset
        ds.PatientName = written
        ideographic = written.split("=")[1].replace("^", "")
        ds.PatientComments = f"{ideographic} thorax"
        for group in written.split("="):
            draft.secret(group, "PatientName", encodings=encodings)
            for part in group.split("^"):
                if len(part) > 1:
                    draft.secret(part, "PatientName and texts", encodings=encodings)
        draft.keep(ds, ("PatientComments",), "thorax", needs="clean-descriptors")

    return plant


def _chinese(escape: bytes) -> Callable[[Draft], None]:
    """GB2312 as PS3.5 Annex K has it, or without the escapes that some writers forget."""

    def plant(draft: Draft) -> None:
        ds = draft.image("CT_small.dcm")
        charset, encodings, names = EXTENSIONS["chinese"]
        latin, ideographic = pool(names, draft.seed)[0].split("=")
        groups = [escape + part.encode("gb2312") for part in ideographic.split("^")]
        ds.SpecificCharacterSet = charset
        raw(ds, 0x00100010, "PN", latin.encode() + b"=" + b"^".join(groups))
        together = ideographic.replace("^", "").encode("gb2312")
        raw(ds, 0x00104000, "LT", escape + together + b" thorax")
        for part in (*latin.split("^"), *ideographic.split("^")):
            draft.secret(part, "PatientName and texts", encodings=encodings)
        if escape:
            draft.keep(ds, ("PatientComments",), "thorax", needs="clean-descriptors")
        draft.refusal = "never" if escape else "allowed"

    return plant


for script in SCRIPTS:
    PATIENT.add(f"name-{script}", _script(script))
for extension in ("japanese", "japanese-katakana", "korean"):
    PATIENT.add(f"name-2022-{extension}", _extension(extension))

PATIENT.add("name-2022-chinese", _chinese(b"\x1b$)A"))
PATIENT.add("name-2022-chinese-without-escapes", _chinese(b""))

#: Attribute to what it holds; a format string over the person.
ATTRIBUTES = {
    "OtherPatientIDs": "{p.other_id}",
    "OtherPatientNames": "{p.family}^{p.middle}",
    "PatientBirthName": "{p.reader[0]}^{p.given}",
    "PatientMotherBirthName": "{p.operator[0]}^{p.middle}",
    "PatientBirthTime": "031759",
    "PatientAddress": "{p.address}",
    "PatientTelephoneNumbers": "{p.phone}",
    "PatientTelecomInformation": "mailto:{p.mail}",
    "MilitaryRank": "Oberfeldwebel {p.family}",
    "BranchOfService": "Royal {p.town} Fusiliers",
    "CountryOfResidence": "Grand Duchy of {p.town}",
    "RegionOfResidence": "Upper {p.town}",
    "PatientReligiousPreference": "Zoroastrianism",
    "MedicalRecordLocator": "{p.other_id}",
    "InsurancePlanIdentification": "{p.other_id}",
    "ResponsiblePerson": "{p.reader[0]}^{p.given}",
    "ResponsibleOrganization": "{p.town} Guardians",
    "PatientInstitutionResidence": "{p.address}",
    "CurrentPatientLocation": "Ward 7 {p.town}",
    "AdmissionID": "{p.other_id}",
    "ServiceEpisodeID": "{p.other_id}",
    "ReferringPhysicianAddress": "{p.address}",
    "ReferringPhysicianTelephoneNumbers": "{p.phone}",
    "ConsultingPhysicianName": "{p.reader[0]}^{p.reader[1]}",
    "PhysiciansOfRecord": "{p.reader[0]}^{p.reader[1]}",
    "NameOfPhysiciansReadingStudy": "{p.reader[0]}^{p.reader[1]}",
    "RequestingPhysician": "{p.physician[0]}^{p.physician[1]}",
    "RequestingService": "{p.town} Outpatients",
    "ScheduledPerformingPhysicianName": "{p.reader[0]}^{p.reader[1]}",
    "InstitutionalDepartmentName": "Radiology {p.hospital}",
    "PlacerOrderNumberImagingServiceRequest": "{p.other_id}",
    "FillerOrderNumberImagingServiceRequest": "{p.other_id}",
    "OrderCallbackPhoneNumber": "{p.phone}",
    "OrderEnteredBy": "{p.operator[0]}^{p.operator[1]}",
    "RequestedProcedureID": "{p.other_id}",
    "PerformedProcedureStepID": "{p.other_id}",
    "PerformedLocation": "{p.town} East",
    "RequestedProcedureLocation": "{p.town} East",
    "NamesOfIntendedRecipientsOfResults": "{p.reader[0]}^{p.reader[1]}",
    "ClinicalTrialSubjectID": "{p.other_id}",
    "ClinicalTrialSiteName": "{p.hospital}",
    "ClinicalTrialCoordinatingCenterName": "{p.town} Trials",
    "IdentifyingComments": "{p.given} {p.family}",
    "RetrieveAETitle": "AE{p.serial}",
    "PerformedStationAETitle": "PS{p.serial}",
}
#: As above, but the standard lets devices' names stay under an option.
DEVICES = {
    "DeviceSerialNumber": "{p.serial}",
    "GantryID": "G{p.serial}",
    "DetectorID": "D{p.serial}",
    "PlateID": "P{p.serial}",
    "PerformedStationName": "R{p.serial}",
    "DeviceDescription": "Unit {p.serial}",
}


def _attribute(keyword: str, template: str, kept_by: tuple[str, ...] = ()) -> Callable[[Draft], None]:
    def plant(draft: Draft) -> None:
        ds = draft.image(draft.rng.choice(("MR_small.dcm", "CT_small.dcm")))
        value = template.format(p=draft.person)
        draft.hide(ds, keyword, value, kept_by=kept_by)
        ds.PatientAge = "047Y"

    return plant


for attribute, holds in ATTRIBUTES.items():
    PATIENT.add(attribute, _attribute(attribute, holds))
for attribute, holds in DEVICES.items():
    PATIENT.add(attribute, _attribute(attribute, holds, (DEVICE,)))


@PATIENT.case("other-patient-ids-sequence")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    other = draft.items(PatientID=p.other_id, IssuerOfPatientID=p.issuer, TypeOfPatientID="TEXT")
    other[0].IssuerOfPatientIDQualifiersSequence = draft.items(
        UniversalEntityID=f"{p.root}.77", UniversalEntityIDType="ISO"
    )
    ds.OtherPatientIDsSequence = other


@PATIENT.case("issuers")
def _(draft: Draft) -> None:
    ds, p = draft.image("CT_small.dcm"), draft.person
    for keyword in ("IssuerOfAccessionNumberSequence", "IssuerOfAdmissionIDSequence"):
        setattr(ds, keyword, draft.items(LocalNamespaceEntityID=p.issuer, UniversalEntityID=f"{p.root}.78"))
    ds.IssuerOfPatientIDQualifiersSequence = draft.items(UniversalEntityID=f"{p.root}.79")


@PATIENT.case("persons-with-identification-sequences")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    for keyword in (
        "ReferringPhysicianIdentificationSequence",
        "PerformingPhysicianIdentificationSequence",
        "OperatorIdentificationSequence",
        "PhysiciansOfRecordIdentificationSequence",
        "PhysiciansReadingStudyIdentificationSequence",
    ):
        code = draft.items(CodeValue=p.other_id, CodingSchemeDesignator="L", CodeMeaning=" ".join(p.reader))
        item = draft.items(
            PersonIdentificationCodeSequence=code,
            PersonAddress=p.address,
            PersonTelephoneNumbers=p.phone,
            InstitutionName=p.hospital,
        )
        setattr(ds, keyword, item)


@PATIENT.case("institution-code-and-department")
def _(draft: Draft) -> None:
    ds, p = draft.image("CT_small.dcm"), draft.person
    ds.InstitutionCodeSequence = draft.items(
        CodeValue=p.other_id, CodingSchemeDesignator="L", CodeMeaning=p.hospital
    )
    ds.InstitutionalDepartmentTypeCodeSequence = draft.items(
        CodeValue="R", CodingSchemeDesignator="99L", CodeMeaning=f"Radiology of {p.town}"
    )
    draft.secret(f"Radiology of {p.town}", "department code")


@PATIENT.case("insurance-plan-codes")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.PatientInsurancePlanCodeSequence = draft.items(
        CodeValue=p.other_id, CodingSchemeDesignator="L", CodeMeaning=f"Krankenkasse {p.town}"
    )


@PATIENT.case("birth-date-in-another-calendar")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    draft.hide(ds, "PatientBirthDateInAlternativeCalendar", f"{p.born.year - 621}0712")
    ds.PatientAlternativeCalendar = "ISLAMIC"


@PATIENT.case("several-values-of-one-attribute")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.OperatorsName = ["Anonymous", "^".join(p.operator)]
    ds.OtherPatientIDs = ["", p.other_id]
    ds.PatientTelephoneNumbers = ["", "", p.phone]


@PATIENT.case("spaces-and-empty-parts")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.PatientName = f"   {p.family} ^  ^ {p.given} ^^ "
    ds.PatientID = f"  {p.mrn}  "
    ds.OtherPatientNames = "^^^^"
    ds.PatientComments = " "
    draft.drop(lambda check: check.action == "patid_consistent")


@PATIENT.case("age-over-89")
def _(draft: Draft) -> None:
    ds = draft.image()
    age = draft.rng.choice(("090Y", "092Y", "097Y", "101Y"))
    draft.drop(lambda check: check.path == ("PatientAge",))
    ds.PatientAge = age
    if age != "090Y":
        draft.gone(ds, ("PatientAge",), age)


@PATIENT.case("two-patients-of-one-id-and-different-issuers")
def _(draft: Draft) -> None:
    draft.image()
    other = replace(invent(draft.rng, draft.seed), mrn=draft.person.mrn)
    draft.person_secrets(other, "the other patient")
    draft.image("CT_small.dcm", other, patient=1)


@PATIENT.case("referenced-patient-and-study")
def _(draft: Draft) -> None:
    ds = draft.image()
    for keyword, sop_class in (
        ("ReferencedPatientSequence", "1.2.840.10008.3.1.2.1.1"),
        ("ReferencedStudySequence", "1.2.840.10008.3.1.2.3.1"),
    ):
        setattr(
            ds, keyword, draft.items(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=draft.uid())
        )


@PATIENT.case("request-attributes")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.RequestAttributesSequence = draft.items(
        RequestedProcedureID=p.other_id,
        AccessionNumber=p.accession,
        RequestedProcedureDescription=f"MR Head for {p.given} {p.family}",
        ScheduledProcedureStepID=p.other_id,
        ScheduledProcedureStepDescription=f"{p.mrn} T1",
        ReasonForTheRequestedProcedure=f"{p.family} fell in {p.town}",
    )
    draft.secret(p.town, "reason for the procedure")


@PATIENT.case("measurements-of-the-patient-stay")
def _(draft: Draft) -> None:
    ds = draft.image("CT_small.dcm")
    for keyword, value in {
        "PatientSize": "1.74",
        "PatientWeight": "81.5",
        "EthnicGroup": "Unknown",
        "SmokingStatus": "NO",
        "PregnancyStatus": 1,
    }.items():
        setattr(ds, keyword, value)
        draft.keep(ds, (keyword,), str(value), needs="retain-patient-characteristics")
    for keyword, value in {"PatientState": "Stable after sedation", "Allergies": "Latex and iodine"}.items():
        setattr(ds, keyword, value)
        draft.keep(ds, (keyword,), *value.split(), needs="retain-patient-characteristics")


@PATIENT.case("device-identity-stays-where-the-option-says-so")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.DeviceSerialNumber = p.serial
    draft.secret(p.serial, "DeviceSerialNumber", (DEVICE, SAFE_PRIVATE))
    draft.keep(ds, ("DeviceSerialNumber",), p.serial, needs=DEVICE)
    ds.DeviceUID = draft.uid()
    ds.ManufacturerModelName = "Skyview 3T"
    draft.keep(ds, ("ManufacturerModelName",), "Skyview 3T")
    ds.SoftwareVersions = ["VE11C", "R2"]
    draft.keep(ds, ("SoftwareVersions",), "VE11C")


@PATIENT.case("person-name-in-an-empty-shell")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    item = Dataset()
    item.HumanPerformerName = "^".join(p.operator)
    item.HumanPerformerOrganization = p.hospital
    ds.ActualHumanPerformersSequence = Sequence([item])

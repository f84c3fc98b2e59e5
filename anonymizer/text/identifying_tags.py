"""Attributes whose values are looked for elsewhere.

References
----------
PS3.15 Table E.1-1; PS3.6.
"""

from __future__ import annotations

from typing import Final

BIRTH_DATES: Final = frozenset({0x00100030, 0x00100033})
#: Whose value may rightly be part of the maker's name, which stays (a vendor's own laboratory, say).
ORGANIZATIONS: Final = frozenset(
    {0x00080080, 0x00081010, 0x00081040, 0x00100021, 0x00102299, 0x00321033}
)  # InstitutionName, StationName, department, IssuerOfPatientID, ResponsibleOrganization, service
MAKER: Final = (0x00080070, 0x00081090)  # Manufacturer, ManufacturerModelName
#: Identifiers and numbers: their digits are looked for alone, too.
NUMBERED: Final = frozenset(
    {
        0x00080050,  # AccessionNumber
        0x00080094,  # ReferringPhysicianTelephoneNumbers
        0x00100020,  # PatientID
        0x00100050,  # PatientInsurancePlanCodeSequence
        0x00101000,  # OtherPatientIDs
        0x00101050,  # InsurancePlanIdentification
        0x00101090,  # MedicalRecordLocator
        0x00102154,  # PatientTelephoneNumbers
        0x00102155,  # PatientTelecomInformation
        0x00120040,  # ClinicalTrialSubjectID
        0x00120042,  # ClinicalTrialSubjectReadingID
        0x00181000,  # DeviceSerialNumber
        0x00200010,  # StudyID
        0x00380010,  # AdmissionID
        0x00380060,  # ServiceEpisodeID
        0x00401001,  # RequestedProcedureID
        0x00401103,  # PersonTelephoneNumbers
        0x00402010,  # OrderCallbackPhoneNumber
        0x00402016,  # PlacerOrderNumberImagingServiceRequest
        0x00402017,  # FillerOrderNumberImagingServiceRequest
    }
)
#: Identifiers, addresses and institutions, looked for as whole values.
IDENTIFIERS: Final = NUMBERED | frozenset(
    {
        0x00080080,  # InstitutionName
        0x00080081,  # InstitutionAddress
        0x00080092,  # ReferringPhysicianAddress
        0x00081010,  # StationName
        0x00081040,  # InstitutionalDepartmentName
        0x00100021,  # IssuerOfPatientID
        0x00101040,  # PatientAddress
        0x00102299,  # ResponsibleOrganization
        0x00120031,  # ClinicalTrialSiteName
        0x00321033,  # RequestingService
        0x00401102,  # PersonAddress
    }
)
#: Names of places and machines: only the cleaning of free text looks for them.
LESS_SURE: Final = frozenset(
    {
        0x00080055,  # StationAETitle
        0x00120060,  # ClinicalTrialCoordinatingCenterName
        0x00181008,  # GantryID
        0x00380300,  # CurrentPatientLocation
        0x00380400,  # PatientInstitutionResidence
        0x00400001,  # ScheduledStationAETitle
        0x00400009,  # ScheduledProcedureStepID
        0x00400010,  # ScheduledStationName
        0x00400241,  # PerformedStationAETitle
        0x00400242,  # PerformedStationName
        0x00400243,  # PerformedLocation
        0x00400253,  # PerformedProcedureStepID
    }
)

"""Options that say which studies of an archive are meant, for the commands that ask one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from dicom_node.domain.pull import StudyQuery

_DATE = ["%Y-%m-%d", "%Y%m%d"]

StudyOption = Annotated[str | None, typer.Option("--study", help="Study Instance UID")]
AccessionOption = Annotated[str | None, typer.Option("--accession", help="Accession Number")]
PatientOption = Annotated[str | None, typer.Option("--patient", help="Patient ID")]
SinceOption = Annotated[datetime | None, typer.Option("--since", formats=_DATE, help="first Study Date")]
UntilOption = Annotated[datetime | None, typer.Option("--until", formats=_DATE, help="last Study Date")]
ModalityOption = Annotated[str | None, typer.Option("--modality", help="of any series, such as MR")]


def study_query(
    study: str | None,
    accession: str | None,
    patient: str | None,
    since: datetime | None,
    until: datetime | None,
    modality: str | None,
) -> StudyQuery:
    """The query that the options make.

    Raises
    ------
    typer.BadParameter
        If they name nothing.
    """
    query = StudyQuery(
        study, accession, patient, since.date() if since else None, until.date() if until else None, modality
    )
    if query.empty:
        raise typer.BadParameter("say what: --study, --accession, --patient or --since")
    return query

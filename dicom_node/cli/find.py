"""`dicom-node find`: what an archive has, for the eyes of whoever asks. Prints identities; logs nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dicom_node.cli.options import ConfigOption, JsonOption, settings_from
from dicom_node.cli.study_query import (
    AccessionOption,
    ModalityOption,
    PatientOption,
    SinceOption,
    StudyOption,
    UntilOption,
    study_query,
)

if TYPE_CHECKING:
    from dicom_node.dimse.identifier import Identifier

#: Keyword, tag and heading of what is shown of a study.
_SHOWN = (
    ("StudyInstanceUID", "0020000D", "study"),
    ("StudyDate", "00080020", "date"),
    ("ModalitiesInStudy", "00080061", "modalities"),
    ("StudyDescription", "00081030", "description"),
    ("AccessionNumber", "00080050", "accession"),
    ("PatientID", "00100020", "patient"),
    ("PatientName", "00100010", "name"),
    ("NumberOfStudyRelatedInstances", "00201208", "instances"),
)


def find(
    source: Annotated[str, typer.Option("--from", help="a peer of the configuration")],
    study: StudyOption = None,
    accession: AccessionOption = None,
    patient: PatientOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    modality: ModalityOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Search a DICOM peer by C-FIND, from this machine, and print the studies that match."""
    from dicom_node.app.archives import find_archive
    from dicom_node.app.peers import find_peer
    from dicom_node.pipeline.pull import check_query

    query = study_query(study, accession, patient, since, until, modality)
    check_query(query)
    settings = settings_from(config)
    search = find_archive(settings, find_peer(settings, source))
    rows = [_row(found) for found in search.studies(query, tuple(keyword for keyword, _, _ in _SHOWN))]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(*(heading for _, _, heading in _SHOWN))
    for row in rows:
        # As text: what an archive says is no markup.
        table.add_row(*map(Text, row.values()))
    Console().print(table if rows else "no study matches")


def _row(found: Identifier) -> dict[str, str]:
    return {heading: found.text(tag).replace("\\", "/") for _, tag, heading in _SHOWN}

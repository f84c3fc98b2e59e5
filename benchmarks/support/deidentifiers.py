"""Other open de-identifiers, each with the best settings that its documentation shows.

- dicom-anonymizer: the actions of its newest table (2024b), private attributes deleted.
- dicognito: one `Anonymizer` for all files; it shifts dates and maps UIDs, names and IDs consistently.
- deid: the header rules of its own recipe, private attributes removed; where that recipe removes UIDs and
  dates, which would leave no valid object, they are replaced by a function and jittered, as its
  documentation shows.

References
----------
Documentation: github.com/KitwareMedical/dicom-anonymizer, github.com/blairconrad/dicognito,
github.com/pydicom/deid.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
from support.leak_cases import Outcome, overheard

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.leak_cases import Case

    Convert = Callable[[bytes], bytes]

_DEID_SHIFT_DAYS = -137
#: Of deid's recipe: rules that take away what an object needs, or want values from a database.
_DEID_LEFT_OUT = ("contains:UID", "endswith:ID\n", "endswith:Date", "endswith:Time", "endswith:time", "var:")
_DEID_ADDED = f"""
REPLACE contains:UID func:replace_uid
REPLACE PatientID func:replace_id
JITTER endswith:Date {_DEID_SHIFT_DAYS}
JITTER endswith:DateTime {_DEID_SHIFT_DAYS}
REMOVE StudyID
REMOVE AdmissionID
REMOVE ServiceEpisodeID
REMOVE RequestedProcedureID
REMOVE PerformedProcedureStepID
REMOVE ScheduledProcedureStepID
REMOVE ClinicalTrialSubjectID
"""


class Tool:
    """A de-identifier that turns the bytes of one file into others."""

    def __init__(self, name: str, convert: Convert) -> None:
        self.name = name
        self.convert = convert

    def run(self, case: Case) -> Outcome:
        """What it makes of a case; an error counts as keeping the file back."""
        outputs: list[bytes | None] = []
        reasons = []
        with overheard() as spoken:
            for data in case.files:
                try:
                    outputs.append(self.convert(data))
                    reasons.append("")
                except Exception as exc:  # noqa: BLE001  # whatever it raises is its refusal
                    outputs.append(None)
                    reasons.append(type(exc).__name__)
        return Outcome(tuple(outputs), tuple(reasons), spoken.getvalue())


def available() -> list[Tool]:
    """The tools that are installed (extra `bench`)."""
    tools = []
    for package, make in (
        ("dicom-anonymizer", _dicom_anonymizer),
        ("deid", _deid),
        ("dicognito", _dicognito),
    ):
        try:
            name = f"{package} {version(package)}"
        except PackageNotFoundError:
            print(f"{package} is not installed: make bench installs it")
            continue
        tools.append(Tool(name, make()))
    return tools


def _dicom_anonymizer() -> Convert:
    from dicomanonymizer.simpledicomanonymizer import anonymize_dicom_file, initialize_actions_2024b

    def convert(data: bytes) -> bytes:
        out = io.BytesIO()
        anonymize_dicom_file(
            io.BytesIO(data), out, delete_private_tags=True, base_rules_gen=initialize_actions_2024b
        )
        return out.getvalue()

    return convert


def _dicognito() -> Convert:
    from dicognito.anonymizer import Anonymizer

    anonymizer = Anonymizer(seed="benchmark")

    def convert(data: bytes) -> bytes:
        ds = pydicom.dcmread(io.BytesIO(data))
        anonymizer.anonymize(ds)
        out = io.BytesIO()
        ds.save_as(out)
        return out.getvalue()

    return convert


def _keyed(text: str) -> str:
    return str(int.from_bytes(hashlib.sha256(b"benchmark" + text.encode()).digest()[:12], "big"))


def _replace_uid(item, value, field, dicom) -> str:
    del item, value, dicom
    uid = str(field.element.value)
    return uid if uid.startswith("1.2.840.10008.") or not uid else f"2.25.{_keyed(uid)}"


def _replace_id(item, value, field, dicom) -> str:
    del item, value, dicom
    return _keyed(str(field.element.value))


def _deid() -> Convert:
    import deid
    from deid.config import DeidRecipe
    from deid.dicom.parser import DicomParser

    stock = (Path(deid.__file__).parent / "data" / "deid.dicom").read_text(encoding="utf-8")
    _, _, header = stock.partition("%header")
    rules = [line for line in header.splitlines() if not any(word in f"{line}\n" for word in _DEID_LEFT_OUT)]
    with tempfile.TemporaryDirectory() as folder:
        recipe_file = Path(folder) / "deid.dicom"
        recipe_file.write_text("FORMAT dicom\n\n%header\n" + "\n".join(rules) + _DEID_ADDED, encoding="utf-8")
        recipe = DeidRecipe(deid=str(recipe_file))

    def convert(data: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in.dcm"
            source.write_bytes(data)
            parser = DicomParser(str(source), recipe=recipe)
            parser.define("replace_uid", _replace_uid)
            parser.define("replace_id", _replace_id)
            parser.parse(remove_private=True)
            out = io.BytesIO()
            parser.dicom.save_as(out)
        return out.getvalue()

    return convert

"""The accounts of a soak: what was acknowledged against what the node and the destination hold."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Journals:
    """The senders' journals added up."""

    sent: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[str, str] = field(default_factory=dict)
    acknowledgements: int = 0
    studies: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    refused: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, paths: list[Path]) -> Journals:
        found = cls()
        for path in paths:
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                uid = entry["uid"]
                if entry["what"] == "sent":
                    found.sent[uid] += 1
                elif entry["what"] == "refused":
                    found.refused[entry["status"]] += 1
                else:
                    found.acknowledgements += 1
                    found.acknowledged[uid] = entry["sha256"]
                    found.studies[entry["study"]].add(uid)
        return found


def account(data_dir: Path, journals: Journals) -> dict[str, Any]:
    """What a stopped node's index and stores hold of what was acknowledged.

    lost
        Acknowledged, and no row or other bytes.
    doubled
        Two rows of one version of a study, two that are not purged, or a study that counts more than came.
    """
    from anonymizer.uids import UidMapper
    from dicom_node.app.adapters import UidAdapter
    from dicom_node.security.master import load_master_key

    pseudonym = UidAdapter(UidMapper(load_master_key(data_dir).derive("pseudonyms"))).uid
    database = sqlite3.connect(f"file:{data_dir / 'node.db'}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    rows: dict[str, list[sqlite3.Row]] = defaultdict(list)
    for row in database.execute("SELECT * FROM instances"):
        rows[row["sop_instance_uid"]].append(row)
    known = {pseudonym(uid): sha256 for uid, sha256 in journals.acknowledged.items()}
    lost = [uid for uid, sha in known.items() if not any(row["sha256"] == sha for row in rows[uid])]
    doubled = [
        uid
        for uid, found in rows.items()
        if len({(row["study_id"], row["version"]) for row in found}) < len(found)
        or sum(row["purged_at"] is None for row in found) > 1
    ]
    studies = {row["study_instance_uid"]: row for row in database.execute("SELECT * FROM studies")}
    tried = defaultdict(set)
    for uid in journals.sent:
        tried[uid.rsplit(".", 2)[0]].add(uid)
    for original, sent in tried.items():
        row = studies.get(pseudonym(original))
        if row is None:
            continue
        distinct = {pseudonym(uid) for uid in sent if rows.get(pseudonym(uid))}
        if row["received_instances"] != len(distinct):
            doubled.append(row["id"])
    states = Counter(row["state"] for row in studies.values())
    unpurged = [row for found in rows.values() for row in found if row["purged_at"] is None]
    return {
        "studies": dict(states),
        "rows": sum(len(found) for found in rows.values()),
        "received_again_after_purge": sum(len(found) > 1 for found in rows.values()),
        "lost": lost,
        "doubled": doubled,
        "not_purged": len(unpurged),
        "spool_files": _files(data_dir / "spool"),
        "work_files": _files(data_dir / "work"),
    }


def _files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def results(data_dir: Path) -> set[str]:
    """SOP Instance UIDs of the results of each study's last version."""
    database = sqlite3.connect(f"file:{data_dir / 'node.db'}?mode=ro", uri=True)
    return {
        row[0]
        for row in database.execute(
            "SELECT r.sop_instance_uid FROM results r JOIN studies s ON s.id = r.study_id"
            " AND s.version = r.version WHERE s.state = 'done'"
        )
    }


def command(node_yaml: Path, *arguments: str) -> dict[str, Any]:
    """Whether a command of the node ends well, and the end of what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "dicom_node.cli", *arguments, "--config", str(node_yaml)],
        capture_output=True,
        text=True,
    )
    return {"exit": done.returncode, "says": (done.stdout + done.stderr).strip()[-600:]}

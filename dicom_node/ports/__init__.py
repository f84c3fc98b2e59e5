"""What the stages need from outside, as Protocols. Adapters implement them; `dicom_node.app` wires them.

All calls are synchronous and thread-safe. Identifiers are pseudonymous unless a name says `original`.
Adapters raise only `dicom_node.domain.errors` and wrap what libraries raise (`from exc`).
"""

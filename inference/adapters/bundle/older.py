"""Turns configurations of older bundles into today's language. Plain values in, plain values out.

Before MONAI 0.9 a component was `{"<name>": ..., "<args>": {...}}`, and metadata were `<meta>`;
transforms that were dropped since then have a present name.
"""

from __future__ import annotations

import re
from typing import Any

#: Keys of components, then and now.
_MARKERS = {"<name>": "_target_", "<path>": "_target_", "<disabled>": "_disabled_", "<meta>": "_meta_"}
#: Transforms without a successor of the same name: theirs, and arguments that it needs.
_TRANSFORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "AddChannel": ("EnsureChannelFirst", {"channel_dim": "no_channel"}),
    "AddChanneld": ("EnsureChannelFirstd", {"channel_dim": "no_channel"}),
    "AsChannelFirst": ("EnsureChannelFirst", {"channel_dim": -1}),
    "AsChannelFirstd": ("EnsureChannelFirstd", {"channel_dim": -1}),
}
#: Arguments that components no longer take.
_DROPPED = {"SwinUNETR": frozenset({"img_size"})}
_ARGS_IN_REFERENCE = re.compile(r"(?:#|::)<args>(?=#|::|$|[^\w])")


def modernised(config: Any) -> Any:
    """A copy of a configuration in today's language; one that is of today comes back equal."""
    if isinstance(config, list):
        return [modernised(item) for item in config]
    if isinstance(config, str):
        return _ARGS_IN_REFERENCE.sub("", config).replace("<meta>", "_meta_")
    if not isinstance(config, dict):
        return config
    content = dict(config)
    arguments = content.pop("<args>", None) if _is_component(content) else None
    changed = {_MARKERS.get(key, key): modernised(value) for key, value in content.items()}
    if isinstance(arguments, dict):
        changed |= {key: modernised(value) for key, value in arguments.items()}
    return _renamed(changed)


def _is_component(content: dict[str, Any]) -> bool:
    return "<name>" in content or "<path>" in content


def _renamed(component: dict[str, Any]) -> dict[str, Any]:
    target = component.get("_target_")
    name = target.rpartition(".")[2] if isinstance(target, str) else None
    if name in _DROPPED:
        return {key: value for key, value in component.items() if key not in _DROPPED[name]}
    if name not in _TRANSFORMS:
        return component
    successor, arguments = _TRANSFORMS[name]
    return {**arguments, **component, "_target_": successor}

"""YAML in which a key that stands twice is an error: YAML readers let the second win in silence."""

from __future__ import annotations

import yaml


class StrictLoader(yaml.SafeLoader):
    """Raises yaml.constructor.ConstructorError with the key and its line."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value if key.value != "<<"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)

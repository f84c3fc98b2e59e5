"""What a model package says of itself: `model.yaml` as frozen types.

`inference/model.schema.json` holds the same contract for files; `inference.manifest` reads them.
"""

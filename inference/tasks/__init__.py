"""What is done with a network of whatever format: classification, segmentation, detection.

Modules here run in the model process, `verdict` excepted: it is plain arithmetic that both sides use.
"""

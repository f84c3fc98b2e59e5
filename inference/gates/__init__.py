"""What may reject a run before and after the model."""

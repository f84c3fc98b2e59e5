"""Model code in processes of its own."""

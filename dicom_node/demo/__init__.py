"""What the demo and the tests send: a real head, wrapped as a scanner would."""

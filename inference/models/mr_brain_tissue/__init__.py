"""Cerebrospinal fluid, grey and white matter by a mixture of Gaussians; computed, not learned."""

"""Model packages that come with the node, a folder each."""

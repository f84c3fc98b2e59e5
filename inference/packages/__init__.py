"""Model packages as folders: writing new ones, checking, trusting and installing them."""

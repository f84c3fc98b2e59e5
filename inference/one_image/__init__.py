"""One image in, a classifier's answer or a picture out; nothing of it is kept."""

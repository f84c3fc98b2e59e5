"""Removes the face from series that show a head: the Clean Recognizable Visual Features Option."""

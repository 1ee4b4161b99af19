"""Telling people by their faces: describers behind one interface. An extra, loaded when it is wanted."""

"""Telling people by their faces: describers behind one interface. An extra; nothing here is loaded until it is wanted."""

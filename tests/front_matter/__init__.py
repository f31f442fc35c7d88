"""Tests of the room `front_matter`."""

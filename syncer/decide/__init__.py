"""Decisions: values in, values out. Nothing here opens anything, or knows a clock."""

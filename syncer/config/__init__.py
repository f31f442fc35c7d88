"""The config: YAML text in, checked values out; the only room that uses pydantic."""

"""The config: YAML text in, checked values out; the only package that uses pydantic."""

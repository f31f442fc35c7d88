"""A fleet of three hosts: `./dev fleet` shows one, and storms prove what it promises."""

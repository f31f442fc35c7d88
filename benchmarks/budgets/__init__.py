"""Simulations of what syncer's three budgets buy: requests, commits and builds."""

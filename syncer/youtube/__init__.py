"""YouTube's Data API: requests in batches, retries where they help, and checks of each response."""

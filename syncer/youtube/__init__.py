"""YouTube's Data API: request one batch from one method, repeat it where that helps, believe only what is valid."""

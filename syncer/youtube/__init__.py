"""YouTube's Data API: ask one method about one batch, try again where that helps, believe only what holds."""

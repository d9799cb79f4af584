"""A run in words and figures: what the view holds, for people and for machines. All of it pure."""

"""Where images come from: files, databases and lists, and what is done to them on the way in."""

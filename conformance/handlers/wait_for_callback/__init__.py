"""Requirements 7-*: callbacks whose ids are handed out by a step."""

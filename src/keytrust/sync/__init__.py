"""From registered keys to directory values: match, plan, apply, confirm, undo."""

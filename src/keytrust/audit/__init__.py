"""Findings over key credentials: planted, weak and orphaned keys, and who could plant one."""
